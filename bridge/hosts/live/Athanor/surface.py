# SPDX-License-Identifier: MIT
"""The control surface: commands are names of clips, answers are Live's status messages.

Rename a clip (Ctrl-R, Cmd-R) to `athanor edit @to "glass bell"` or `athanor preset separate_stems`: it gets its name back
and is rendered. `athanor add` keeps it for a render of several; `athanor takes ...` puts the results on take lanes;
`athanor cancel` stops what runs. Everything happens in Live's own thread, from `update_display`, which Live calls ten times
a second.
"""

import os
import shlex

from _Framework.ControlSurface import ControlSurface

from .clip import CannotRender, decimal, describe
from .link import BRIDGE, Link
from .place import NotPlaced, check, place, read_result

_COMMAND = "athanor "
_SETTLE = 2  # calls of update_display until Live has done what it puts off
_MESSAGE_EVERY = 20


def _hears_clips(words):
    """Whether a kind takes clips, or a preset by its name: only what generates takes none."""
    return (words[1] if words[0] == "preset" else words[0]).split("_")[0] != "generate"


def _start(said):
    """Where a clip begins, of what is said about it; nothing for a clip of the session view."""
    return said[said.index("@start_beats"):][:2] if "@start_beats" in said else []


class Athanor(ControlSurface):
    """Athanor in Live's list of control surfaces."""

    def __init__(self, c_instance, bridge=BRIDGE):
        super().__init__(c_instance)
        self._jobs = {}  # request id of a render -> {"label", "lane", "track", "parts"}
        self._ended = {}  # job id -> where its results lie, or "" while or if they do not
        self._later = []  # [calls left, work]
        self._chosen = []  # clips that were added: (file, options, track)
        self._names = {}  # file -> the last name of a clip of it that was no command
        self._quiet = 0
        self._link = Link("live-script", "Ableton Live", self._hear, bridge)
        self._tell("looking for the bridge (athanor up)")

    def disconnect(self):
        """Live closes the set or the control surface."""
        self._link.close()
        super().disconnect()

    def update_display(self):
        """Live calls this ten times a second; nothing here may wait."""
        super().update_display()
        self._quiet += 1
        self._link.poll()
        due = [work for left, work in self._later if left <= 0]
        self._later = [[left - 1, work] for left, work in self._later if left > 0]
        for work in due:
            work()
        self._look_for_a_command()

    def _tell(self, text):
        self.show_message("Athanor: " + text)
        self.log_message("Athanor: " + text)

    def _look_for_a_command(self):
        clip = self.song().view.detail_clip
        if clip is None or not clip.is_audio_clip:
            return
        if not clip.name.startswith(_COMMAND):
            self._names[clip.file_path] = clip.name
            return
        said = clip.name[len(_COMMAND):]
        clip.name = self._names.get(clip.file_path) or os.path.splitext(os.path.basename(clip.file_path))[0]
        try:
            self._command(clip, shlex.split(said))
        except (CannotRender, ValueError) as error:
            self._tell(f"{clip.name}: {error}")

    def _command(self, clip, words):
        if not words:
            self._tell("say what: athanor edit @to \"glass bell\", athanor preset NAME, athanor add, athanor cancel")
        elif words[0] == "cancel":
            for request in self._jobs:
                self._link.ask("job/cancel", request)
        elif words[0] == "add":
            self._chosen.append(self._described(clip))
            self._tell(f"{len(self._chosen)} clips are chosen; name the last one athanor fuse")
        else:
            lane = "take_lane" if words[0] == "takes" else "new_track"
            self._render(words[1:] if words[0] == "takes" else words, lane, self._chosen + [self._described(clip)])
            self._chosen = []

    def _described(self, clip):
        track = clip.canonical_parent
        while not hasattr(track, "clip_slots"):
            track = track.canonical_parent
        return clip.file_path, describe(clip, self.song().tempo, track.name), track

    def _render(self, words, lane, clips):
        if not words or (words[0] == "preset" and len(words) < 2):
            raise ValueError("say a kind, or preset NAME")
        song = self.song()
        name, first = ("preset", words[1:2]) if words[0] == "preset" else ("render/" + words[0], [])
        options = words[2:] if words[0] == "preset" else words[1:]
        asked = ["@lane", lane, "@tempo", decimal(song.tempo),
                 "@meter", f"{song.signature_numerator}/{song.signature_denominator}"]
        selection = [("clip/clear",)]
        if _hears_clips(words):
            selection += [("clip/add", self._named(file), *said) for file, said, _ in clips]
        else:
            asked += _start(clips[0][1])

        def ask():
            request = self._link.ask(name, *(first + asked + options),
                                     then=lambda job: self._tell(f"{words[0]} has begun"))
            self._jobs[request] = {"label": words[0], "lane": lane, "track": clips[0][2], "parts": {}}

        self._link.in_turn(selection, ask)

    def _named(self, file):
        """A file under the import root by its name there, another one by its whole path."""
        root = self._link.root
        inside = root and os.path.normpath(file).startswith(os.path.normpath(root) + os.sep)
        return os.path.relpath(file, root).replace(os.sep, "/") if inside else file

    def _hear(self, name, values):
        heard = getattr(self, "_on_" + name, None)
        if heard:
            heard(values)

    def _on_ok(self, values):
        self._tell("ready; files lie in " + self._link.root)

    def _on_error(self, values):
        self._jobs.pop(values[0], None)
        if not values[1].endswith(("/job/ack", "/job/placed")):
            self._tell(values[3])

    def _on_progress(self, values):
        job = self._jobs.get(values[0])
        if job and self._quiet >= _MESSAGE_EVERY:
            self._quiet = 0
            self.show_message("Athanor: {} {} {}/{}".format(job["label"], *values[2:5]))

    def _on_failed(self, values):
        self._end(values, values[4])

    def _on_cancelled(self, values):
        self._end(values, "cancelled")

    def _end(self, values, text):
        self._link.ask("job/ack", values[1])
        if values[1] not in self._ended:
            self._ended[values[1]] = text
            self._jobs.pop(values[0], None)
            self._tell(text)

    def _on_done(self, values):
        request, job_id = values[:2]
        if job_id in self._ended:
            if self._ended[job_id]:
                self._link.ask("job/placed", job_id, "@where", self._ended[job_id])
            return
        job = self._jobs.setdefault(request, {"label": "", "lane": "new_track", "track": None, "parts": {}})
        if values[2] > 0:
            job["parts"][values[2]] = values
        if len(job["parts"]) < values[3]:
            return
        self._ended[job_id] = ""
        del self._jobs[request]
        self._place(job_id, job)

    def _place(self, job_id, job):
        song = self.song()
        results = [read_result(self._link.root, job["parts"][index], song.tempo) for index in sorted(job["parts"])]
        song.begin_undo_step()
        try:
            clips, where = place(song, results, job["lane"], job["track"])
        except NotPlaced as error:  # not acknowledged: it is told again at the next hello
            self._tell(str(error))
            return
        finally:
            song.end_undo_step()

        def look_again():
            try:
                check(clips, results)
            except NotPlaced as error:
                self._tell(str(error))
                return
            self._ended[job_id] = where
            self._link.ask("job/placed", job_id, "@where", where)
            self._tell(where[len("Live, "):])

        self._later.append([_SETTLE, look_again])
