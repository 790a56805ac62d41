"""Two workers that only wait, for the tests of the processes: ``python -m tests.api.workers FOLDER SECONDS...``.

The seconds: after which one that is silent is killed, one that is not ready, and one that was told to end.

One that is ready leaves a file named by its process in the folder. A file ``new`` there says what becomes of new ones:
they "die", "wait" for ever, are on "hold" while it is there, or there is "no room" for the second. ``told``: how many
are heard, and were replaced.
"""

import errno
import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from serving import processes
from serving.beats import Beats


def main(folder: Path, silent_seconds: float, start_seconds: float, end_seconds: float) -> None:
    logging.basicConfig()
    processes.SILENT_SECONDS = silent_seconds
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()  # as a library's: it blocks no signal
    new, fork, forked, beats = folder / "new", os.fork, [], Beats(4)

    def become() -> str:
        with suppress(FileNotFoundError):
            return new.read_text()
        return ""

    def fork_while_there_is_room() -> int:
        forked.append(1)
        if become() == "no room" and len(forked) in (2, 3):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    def work(place: int, ready, beat) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if become() == "die":
            sys.exit(3)
        time.sleep(0.3)
        while become() == "hold":
            time.sleep(0.02)
        if become() == "":
            beat()
            (folder / str(os.getpid())).touch()
            ready()
        for _ in range(600):
            time.sleep(0.1)
            beat()
            heard = sum(beats.last(row) > 0 for row in range(4))
            (folder / "told").write_text(json.dumps({"heard": heard} | beats.how_many_replaced()))

    os.fork = fork_while_there_is_room
    processes.Processes(work, beats, 2, forked.clear, start_seconds, end_seconds).run(lambda: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:]))
