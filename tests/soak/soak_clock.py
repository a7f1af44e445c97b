# SPDX-License-Identifier: Apache-2.0
"""The simulated clock of tests/preload/fast_clock.c, steered: who is started with environment() lives by it."""
import contextlib
import ctypes
import time

SLOW = 20          # times reality while anything computes, and while the soak itself does something
FASTEST = 20000    # times reality while everybody waits
LINGER_US = 1500   # of reality: so long it stays slow after a message


class Clock:
    def __init__(self, library, path):
        self.library, self.path = library, path
        self.lib = ctypes.CDLL(library)
        self.lib.fast_clock_make.restype = ctypes.c_void_p
        self.lib.fast_clock_make.argtypes = [ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
        self.lib.fast_clock_ms.restype = ctypes.c_int64
        self.lib.fast_clock_ms.argtypes = [ctypes.c_void_p]
        self.lib.fast_clock_pace.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.lib.fast_clock_settle.argtypes = [ctypes.c_void_p]
        self.lib.fast_clock_forget.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self.shared = self.lib.fast_clock_make(str(path).encode(), SLOW, FASTEST, LINGER_US)
        if not self.shared:
            raise OSError(f"cannot make the clock {path}")
        self.times = SLOW
        self.started = self.now()

    def environment(self):
        return {"LD_PRELOAD": self.library, "EVENKEEL_CLOCK": str(self.path)}

    def now(self):
        """Simulated milliseconds since 1970."""
        return self.lib.fast_clock_ms(self.shared)

    def days(self):
        return (self.now() - self.started) / 86400e3

    def pace(self, times):
        self.lib.fast_clock_pace(self.shared, times)
        self.times = times

    @contextlib.contextmanager
    def slowly(self):
        """For whoever asks a question in real time, of somebody whose patience is simulated."""
        before = self.times
        self.pace(min(before, SLOW))
        try:
            yield
        finally:
            self.settle()
            self.pace(before)

    def settle(self):
        """Nothing that was asked is still to be answered."""
        self.lib.fast_clock_settle(self.shared)

    def forget(self, pid):
        self.lib.fast_clock_forget(self.shared, pid)

    def run_until(self, at, pace=FASTEST, watch=lambda: None):
        """Lets simulated time pass up to there; `watch` is called every now and then and may raise."""
        self.settle()
        self.pace(pace)
        try:
            while self.now() < at:
                time.sleep(0.004)
                watch()
        finally:
            self.pace(SLOW)

    def run(self, seconds, pace=FASTEST, watch=lambda: None):
        self.run_until(self.now() + int(seconds * 1000), pace, watch)
