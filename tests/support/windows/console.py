"""Runs a program with a terminal of its own as its stdin. SIGINT has Ctrl-C typed there."""
import os, pty, signal, subprocess, sys, fcntl, termios

parent, terminal = pty.openpty()
signal.signal(signal.SIGINT, lambda *_: os.write(parent, b"\x03"))

def take_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

child = subprocess.Popen(sys.argv[1:], stdin=terminal, preexec_fn=take_terminal)
status = child.wait()
sys.exit(status if status >= 0 else 128 - status)
