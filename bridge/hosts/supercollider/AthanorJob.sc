// SPDX-License-Identifier: MIT
// Copyright (c) 2026 the Athanor authors

// One render: how far it is, how it ended.
AthanorJob {
	var <athanor, <what, <>onDone, <>onProgress, <>onFailed, <request, <id, <state = \preparing;
	var <phase = "", <step = 0, <steps = 0, <fraction = 0, <secondsLeft = -1, found, <code, <message;

	*new { |athanor, what, onDone, onProgress, onFailed|
		^super.newCopyArgs(athanor, what, onDone, onProgress, onFailed).prInit
	}

	cancel {
		if (request.isNil) { this.prEnd(\cancelled) } {
			if (this.hasEnded.not) { athanor.ask("job/cancel", [request]) }
		}
	}

	hasEnded { ^#[\done, \failed, \cancelled].includes(state) }

	results { ^found.order.collect { |index| found[index] } }

	printOn { |stream| stream << "AthanorJob(" << what << " " << state << " " << fraction << ")" }

	prInit { found = IdentityDictionary.new }
	prAsked { |argRequest| request = argRequest; state = \asked }
	prStarted { |argId| id = argId; if (state == \asked) { state = \running } }

	prProgress { |argId, argPhase, argStep, argSteps, argFraction, eta|
		if (this.hasEnded.not) {
			#id, phase, step, steps, fraction, secondsLeft = [argId, argPhase, argStep, argSteps, argFraction, eta];
			state = \running;
			onProgress.value(this);
		}
	}

	prDone { |result, argId|
		id = argId;
		if (result.count > 0) { found[result.index] = result };
		if (found.size == result.count) {
			// What is announced again after that is only acknowledged again.
			athanor.ask("job/placed", [id], (where: "SuperCollider"));
			if (this.hasEnded.not) {
				fraction = 1;
				state = \done;
				onDone.value(this);
			}
		}
	}

	prFailed { |argId, argCode, retryable, argMessage|
		if (this.hasEnded.not) {
			#code, message = [argCode, argMessage];
			if (argId.size > 0) { "Athanor: % (%)".format(message, code).warn };
			this.prEnd(\failed);
		};
		this.prAcknowledge(argId);
	}

	prCancelled { |argId|
		if (this.hasEnded.not) { this.prEnd(\cancelled) };
		this.prAcknowledge(argId);
	}

	prEnd { |argState|
		state = argState;
		onFailed.value(this);
	}

	prAcknowledge { |argId| if (argId.size > 0) { athanor.ask("job/ack", [argId]) } }
}

// One sound of a job, and where it belongs.
AthanorResult {
	var <root, <index, <count, <role, <file, <record, <startSeconds, <startExact, <startRate, <startSource;
	var <length, <sampleRate, <channels;

	*new { |root, values|
		^super.newCopyArgs(root, *(values[1..5] ++ values[7..]))
	}

	path { ^root +/+ file }

	// The exact start; a Float, which counts samples exactly where an Integer of 32 bits ends.
	startSamples { ^startExact.asFloat }

	// The placement record as a Dictionary.
	placement { ^(root +/+ record).parseJSONFile }

	read { |server, action| ^Buffer.read(server ? Server.default, this.path, action: action) }

	// One Signal for each channel, without a server.
	signals {
		var file = SoundFile.openRead(this.path), data;
		if (file.isNil) { Error("Athanor cannot read %".format(this.path)).throw };
		data = FloatArray.newClear(file.numFrames * file.numChannels);
		protect { file.readData(data) } { file.close };
		^data.as(Array).clump(file.numChannels).flop.collect { |channel| Signal.newFrom(channel) }
	}

	printOn { |stream| stream << "AthanorResult(" << role << " " << file << ")" }
}
