"""Types texts into a shell on a terminal, each followed by a tab, and says what its line became.

The line is not run: it becomes arguments of the shell's own printf.
"""
import os, pty, re, select, sys, time

shell, setup, *texts = sys.argv[1:]
START = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
child, terminal = pty.fork()
if child == 0:
    os.environ.update(PS1="% ", TERM="dumb", COLUMNS="200")
    os.execvp(START[0], START)

def read(until, seconds=10):
    seen, end = "", time.time() + seconds
    while time.time() < end and not re.search(until, seen):
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen

def send(text):
    os.write(terminal, text.encode())

send(setup + "\nprintf 'rea%s\\n' dy\n")
read("ready\r")
for text in texts:
    # The shell reads the mark when it is done with the tab.
    send(text + "\t@@")
    read("@@", 10)
    # The whole line, as an argument of the shell's own printf.
    send("\x01printf '<%s>\\n' \x05\n")
    answer = read(r"<[^%]*@@>", 5)
    words = re.findall(r"^<(.*)>\r?$", answer.replace("\r\r", "\r"), re.M)
    print(" ".join(words).replace("@@", ""))
os.write(terminal, b"exit\n")
