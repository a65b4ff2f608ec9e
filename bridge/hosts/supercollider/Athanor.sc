// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the Athanor authors
// The messages are those of docs/osc.md. The bridge sends i, f and s only; sclang has integers of 32 bits, so what may be
// larger travels as text.

Athanor {
	classvar prefix = "/athanor/v1/", tries = 8, all;
	var <name, <address, <>onLate, <root, <version, session, counter = 0, pending, jobs, lists;
	var client, queue, serving = false, hearing, hellos = 0, late;

	*new { |name = "main", host = "127.0.0.1", port = 9101, onLate|
		^super.newCopyArgs(name.asString, NetAddr(host, port), onLate).prStart
	}

	// ---- requests

	render { |kind, files, options, onDone, onProgress, onFailed|
		^this.prJob("render/" ++ kind, files, options, onDone, onProgress, onFailed)
	}

	preset { |preset, options, onDone, onProgress, onFailed|
		^this.prJob("preset", preset, options, onDone, onProgress, onFailed)
	}

	again { |result, options, onDone, onProgress, onFailed|
		^this.prJob("again", result, options, onDone, onProgress, onFailed)
	}

	select { |file, options, onOk, onError|
		this.whenReady { this.prNames([file], onError) !? { |names|
			this.prSend(this.prNextRequest, "clip/add", names ++ Athanor.words(options), onOk, onError)
		} }
	}

	clear { |onOk| this.ask("clip/clear", [], nil, onOk) }

	ask { |what, values, options, onOk, onError|
		this.whenReady { this.prSend(this.prNextRequest, what, (values ? []) ++ Athanor.words(options), onOk, onError) }
	}

	// The lines of preset/list, clip/list, job/list or history: action gets an Array of Arrays.
	list { |what, options, action, onError|
		this.whenReady {
			var request = this.prNextRequest;
			lists[request] = (lines: [], action: action);
			this.prSend(request, what, Athanor.words(options), { |reply|
				if (reply[0] == 0) { lists.removeAt(request); action.value([]) }
			}, onError);
		}
	}

	// One after the other, in the order in which they were asked for, although writing a Buffer takes its time.
	whenReady { |action|
		queue = queue.add(action);
		this.prServe;
	}

	free {
		hearing.do(_.free);
		hearing = nil;
		all.remove(this);
	}

	// (prompt: "glass bells", snr_db: [-12, -6], residual: true) as @name value ...
	*words { |options|
		var words = [];
		var add = { |key, value|
			if (value.notNil) {
				words = words.add("@" ++ key);
				(if (value.isString or: { value.isSequenceableCollection.not }) { [value] } { value }).do { |one|
					words = words.add(Athanor.word(one));
				}
			}
		};
		if (options.isKindOf(Dictionary)) { options.keysValuesDo(add) } { options.pairsDo(add) };
		^words
	}

	*word { |value|
		^case
		{ value.isKindOf(Boolean) } { value.binaryValue }
		{ value.isInteger } { value }
		{ value.isFloat } { value.asStringPrec(15) }  // as f it would keep 24 bits
		{ value.asString }
	}

	// ---- the wire

	prStart {
		client = "supercollider-" ++ name;  // `athanor hosts` knows by the first word who it is
		all = all.add(this);
		pending = Dictionary.new;
		jobs = Dictionary.new;
		lists = Dictionary.new;
		late = Set.new;
		queue = [];
		hearing = [
			ok: { |request, rest| this.prOk(request, rest) },
			error: { |request, rest| this.prError(request, *rest) },
			progress: { |request, rest| jobs[request] !? { |job| job.prProgress(*rest) } },
			done: { |request, rest| this.prJobOf(request, rest) !? { |job| job.prDone(AthanorResult(root, rest), rest[0]) } },
			failed: { |request, rest| this.prJobOf(request) !? { |job| job.prFailed(*rest) } },
			cancelled: { |request, rest| this.prJobOf(request) !? { |job| job.prCancelled(rest[0]) } },
			'preset/entry': { |request, rest| this.prLine(request, rest) },
			'clip/entry': { |request, rest| this.prLine(request, rest) },
			'history/entry': { |request, rest| this.prLine(request, rest) },
			job: { |request, rest| this.prLine(request, rest) },
		].clump(2).collect { |pair|
			OSCFunc({ |message|
				var rest = message[2..].collect { |one| if (one.isKindOf(Symbol)) { one.asString } { one } };
				pair[1].value(message[1].asString, rest)
			}, prefix ++ pair[0], address).permanent_(true)
		};
		this.prHello;
		SystemClock.sched(1, { if (hearing.notNil) { this.prTick; 1 } });
	}

	prHello { address.sendMsg(prefix ++ "hello", client, 0, "SuperCollider", 1) }

	prServe {
		if (root.notNil and: { serving.not }) {
			serving = true;
			{
				while { queue.notEmpty } {
					var action = queue.removeAt(0);
					try { action.value } { |error| error.reportError };
				};
				serving = false;
			}.fork(AppClock);
		}
	}

	// A datagram may be lost; the same request again is the same request.
	prTick {
		if (root.isNil) {
			this.prHello;
			hellos = hellos + 1;
			if (hellos == 3) {
				"Athanor does not answer at %:%. Start it with: athanor up".format(address.ip, address.port).warn;
			}
		};
		pending.keys.copy.do { |request|
			var asked = pending[request];
			asked[\tries] = asked[\tries] + 1;
			if (asked[\tries] > tries) {
				this.prError(request, asked[\message][0], "not_connected", "Athanor does not answer. Start it with: athanor up")
			} {
				address.sendMsg(*asked[\message])
			}
		}
	}

	prNextRequest {
		counter = counter + 1;
		^"%-%".format(session, counter)
	}

	prSend { |request, what, values, onOk, onError|
		var message = [prefix ++ what, request] ++ values.collect { |value| Athanor.word(value) };
		pending[request] = (message: message, tries: 0, onOk: onOk, onError: onError);
		address.sendMsg(*message);
	}

	prOk { |request, rest|
		if (rest[0] == (prefix ++ "hello")) {
			if (request == client and: { root.isNil }) {
				#version, root, session = rest[2..4];
				this.prServe;
			}
		} {
			pending.removeAt(request) !? { |asked| asked[\onOk].value(rest[1..]) }
		}
	}

	prError { |request, what, code, message|
		var asked = pending.removeAt(request);
		lists.removeAt(request);
		if (asked.notNil or: { request == client }) {
			"Athanor: % (%)".format(message, code).warn;
			asked !? { asked[\onError].value(code, message) };
		}
	}

	prLine { |request, rest|
		lists[request] !? { |list|
			list[\lines] = list[\lines].add(rest[2..]);
			if (rest[0] == rest[1]) {
				lists.removeAt(request);
				list[\action].value(list[\lines]);
			}
		}
	}

	// ---- jobs

	prJob { |what, files, options, onDone, onProgress, onFailed|
		var job = AthanorJob(this, what, onDone, onProgress, onFailed);
		this.whenReady {
			var fail = { |code, message| job.prFailed("", code, 0, message) };
			var names = this.prNames(Athanor.prAsList(files), fail);
			if (names.notNil and: { job.hasEnded.not }) {
				var request = this.prNextRequest;
				jobs[request] = job;
				job.prAsked(request);
				this.prSend(request, what, names ++ Athanor.words(options), { |reply| job.prStarted(reply[0]) }, fail);
			}
		};
		^job
	}

	// The job of a message about its end. One of an earlier session is somebody's only if onLate takes it.
	prJobOf { |request, rest|
		if (all.every { |one| one.prOwns(request).not }) {
			if (onLate.notNil) {
				jobs[request] = AthanorJob(this, "", onLate, nil, onLate).prAsked(request)
			} {
				if (rest.notNil and: { late.includes(request).not }) {
					late.add(request);
					"Athanor: a result of an earlier session waits (see onLate): %".format(root +/+ rest[4]).postln;
				}
			}
		};
		^jobs[request]
	}

	prOwns { |request| ^jobs.includesKey(request) }

	// ---- clips

	*prAsList { |files|
		^case
		{ files.isNil } { [] }
		{ files.isString or: { files.isKindOf(RawArray) } or: { files.isSequenceableCollection.not } } { [files] }
		{ files }
	}

	// The files' names under the import root; what is no file yet is written into its folder clips. nil if that failed.
	prNames { |files, onError|
		var names;
		try { names = files.collect { |file| this.prName(file) } } { |error|
			"Athanor: %".format(error.errorString).warn;
			onError.value("invalid_input", error.errorString);
		};
		^names
	}

	prName { |file|
		var clip, path;
		if (file.isString or: { file.isKindOf(Symbol) }) { ^file.asString };
		counter = counter + 1;
		clip = "clips/%-%-%.wav".format(client, session, counter);
		path = root +/+ clip;
		if (file.isKindOf(Buffer)) {
			file.write(path, "wav", "float");
			file.server.sync;
		} {
			Athanor.write(path, file);
		};
		^clip
	}

	// A Signal or FloatArray, or an Array of them, one for each channel.
	*write { |path, signals, sampleRate|
		var channels = if (signals.isKindOf(RawArray)) { [signals] } { signals };
		var file = SoundFile(path).headerFormat_("WAV").sampleFormat_("float").numChannels_(channels.size)
		.sampleRate_(sampleRate ?? { Server.default.sampleRate ? 48000 });
		if (file.openWrite.not) { Error("Athanor cannot write %".format(path)).throw };
		protect { file.writeData(FloatArray.newFrom(channels.collect(_.asArray).flop.flat)) } { file.close };
	}
}
