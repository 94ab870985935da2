"""What the workshop tells the person at the terminal."""
import sys
import time


class Trouble(Exception):
    """Something a person has to settle; its text says what and how."""


def exit_code(command):
    """Run a command; what a person has to settle is said without a traceback.

    :return: an exit status
    :rtype: int
    """
    try:
        return command() or 0
    except Trouble as err:
        print("\n%s" % err, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr, flush=True)
        return 130


def step(text, *args):
    """Print one line about what happens now."""
    print("· " + text % args, flush=True)


def warn(text, *args):
    """Print one line about something that is not as it should be."""
    print("! " + text % args, flush=True)


class Waiting:
    """Shows that a long step is alive: seconds in place, or a line now and then.

    :param str label: what is being waited for
    :param float every: seconds between two lines when the output is no terminal
    """

    def __init__(self, label, every=15.0):
        self.label = label
        self.every = every
        self.started = self.spoke = time.monotonic()
        self.live = sys.stdout.isatty()
        step("%s ...", label)

    def tick(self):
        """Call it as often as you like while the step goes on."""
        now = time.monotonic()
        if now - self.spoke < (1.0 if self.live else self.every):
            return
        self.spoke = now
        line = "  %s, %d s so far" % (self.label, now - self.started)
        print("\r" + line if self.live else line, end="" if self.live else "\n")
        sys.stdout.flush()

    def done(self):
        """End the line and tell how long it took, if it took long."""
        seconds = time.monotonic() - self.started
        if self.live and self.spoke > self.started:
            print("\r\033[K", end="")  # clears the line
        if seconds >= 2:
            print("  %s: %.0f s" % (self.label, seconds), flush=True)
