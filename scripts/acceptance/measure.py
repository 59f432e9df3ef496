"""measure.py RESULT TIMEOUT PROGRAM ARGUMENTS...: runs a program and writes "exit code, seconds, peak bytes" to RESULT.

A process of its own because Linux counts what the starting process held at that moment as the started one's memory: this one is
small, the acceptance run with PyTorch in it is not.
"""

import os
import signal
import sys
import time

result, timeout, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
started = time.monotonic()
child = os.posix_spawn(command[0], command, os.environ)
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
signal.alarm(timeout)
_, status, usage = os.wait4(child, 0)
with open(result, "w") as file:
    file.write(f"{os.waitstatus_to_exitcode(status)} {time.monotonic() - started} {usage.ru_maxrss * 1024}")
