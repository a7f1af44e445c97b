#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the completions of bash, zsh and fish from what the built command says of itself.

    packaging/completions/generate.py build/debug/evenkeel [FOLDER]

Options come from --help, the values of an enumeration from the line that refuses a wrong one. The files stand in the
project, and a test compares them with what this makes.
"""
import os
import pathlib
import re
import subprocess
import sys

# Options whose values are a fixed set of words, and how the command lists them when it refuses another.
ASKED = ("format", "policy", "time-series", "state")
LISTED = (r"this command writes: (.+)$", r"; use (.+)$", r"is neither (.+)$", r"; the \w+ are: (.+)$")
NONE_SUCH = "none-such"


class Option:
    def __init__(self, short, long, arg, doc):
        self.short, self.long, self.arg, self.doc = short, long, arg, doc
        self.words = None  # of an enumeration

    @property
    def names(self):
        return ([f"-{self.short}"] if self.short else []) + [f"--{self.long}"]

    @property
    def repeats(self):
        return "may be repeated" in self.doc

    @property
    def kind(self):
        """none, words, dir, file, or text: what follows the option."""
        if self.arg is None:
            return "none"
        if self.words:
            return "words"
        return {"DIR": "dir", "FILE": "file", "PATH": "file"}.get(self.arg, "text")


class Command:
    def __init__(self, name, doc):
        self.name, self.doc = name, doc
        self.options, self.verbs, self.takes_file = [], [], False


def say(binary, *args):
    env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "ARGP_HELP_FMT": "rmargin=10000"}
    for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if key in os.environ:
            env[key] = os.environ[key]
    return subprocess.run([binary, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          encoding="utf-8", check=False)


def parse_options(text):
    """The options of a --help; a description may begin in the line after a long name."""
    text = re.sub(r"(?m)^( {2,6}-[^\n]*\S)\n {20,}(?=\S)", r"\1  ", text)
    line = re.compile(r"^ {2,6}(?:-(\w), )?--([a-z-]+)(?:=(\S+))?(?: +(.*))?$", re.M)
    return [Option(m[1], m[2], m[3], (m[4] or "").strip()) for m in line.finditer(text)]


def ask_values(binary, command, option):
    """The words that the command names when it refuses one. Nothing is asked of a service or a cluster."""
    base = [command.name, *command.verbs[:1], option.names[-1], NONE_SUCH]
    if any(o.long == "socket" for o in command.options):
        base += ["--socket", "/none/such"]
    for extra in ([], ["x"], ["x", "{}"], ["-o", "/dev/null"]):
        refused = say(binary, *base, *extra)
        for pattern in LISTED if refused.returncode == 64 and NONE_SUCH in refused.stderr else ():
            if found := re.search(pattern, refused.stderr.strip()):
                return re.findall(r"[\w-]+", re.sub(r"\b(or|nor|and)\b", " ", found[1]))
    raise SystemExit(f"{command.name} {option.names[-1]}: its values cannot be learnt")


def read_command(binary, name, doc):
    command = Command(name, doc)
    text = say(binary, name, "--help").stdout
    usages = re.findall(r"^(?:Usage|  or): +evenkeel \w+ (.*)$", text, re.M)
    for usage in usages:
        words = usage.replace("[OPTION...]", "").split()
        command.verbs += [w for w in words if re.fullmatch(r"[a-z]+", w)]
        command.takes_file |= any(w.strip("[].") in ("FILE", "PLAN.json") for w in words)
    # Common to all commands, but of no use to those that print no result.
    has_result = re.search(r"^Formats?:|[. ]Formats?: ", text, re.M)
    command.options = [o for o in parse_options(text) if has_result or o.long not in ("format", "output")]
    for option in command.options:
        if option.long in ASKED:
            option.words = ask_values(binary, command, option)
    return command


def read(binary):
    top = say(binary, "--help").stdout
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", top, re.M)[1]
    return [read_command(binary, *line.split(None, 1)) for line in listed.splitlines()]


HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Completion of evenkeel(1) for {}. Made by packaging/completions/generate.py; do not edit.
"""


def bash(commands):
    names = " ".join(c.name for c in commands)
    rows, values = [], []
    for c in commands:
        flat = " ".join(n for o in c.options for n in o.names)
        rows.append(f"    {c.name}) echo '{flat}' ;;")
        for o in c.options:
            pattern = " | ".join(f"{c.name}:{n}" for n in o.names)
            answer = {"words": f"words {' '.join(o.words or [])}"}.get(o.kind, o.kind)
            if o.kind != "none":
                values.append(f"    {pattern}) echo '{answer}' ;;")
    plain = []
    for c in commands:
        if c.verbs or c.takes_file:
            answer = f"words {' '.join(c.verbs)}" if c.verbs else "file"
            plain.append(f"    {c.name}:1) echo '{answer}' ;;")
            if c.verbs and c.takes_file:
                plain.append(f"    {c.name}:*) echo 'file' ;;")
            elif c.takes_file:
                plain[-1] = f"    {c.name}:*) echo 'file' ;;"
    return HEAD.format("bash") + f"""
_evenkeel_options() {{
    case $1 in
{chr(10).join(rows)}
    esac
}}

# What follows an option: words ..., file, dir, text; nothing where it takes no value.
_evenkeel_values() {{
    case $1 in
{chr(10).join(values)}
    esac
}}

# What an argument that is no option may be, by its number.
_evenkeel_arguments() {{
    case $1 in
{chr(10).join(plain)}
    help:1) echo 'words {names}' ;;
    esac
}}

# Fills COMPREPLY with what fits $2.
_evenkeel_offer() {{
    local kind=${{1%% *}}
    case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "${{1#words }}" -- "$2") ;;
    file | dir)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen "-${{kind:0:1}}" -- "$2")
        ;;
    esac
}}

_evenkeel() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} option='' cmd=${{COMP_WORDS[1]-}} i n=0
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _evenkeel_offer 'words {names} help --help --version' "$cur"
        return
    fi
    # bash takes "--option=value" for three words.
    if [[ $cur == '=' ]]; then
        option=${{COMP_WORDS[COMP_CWORD - 1]}} cur=''
    elif [[ ${{COMP_WORDS[COMP_CWORD - 1]}} == '=' ]]; then
        option=${{COMP_WORDS[COMP_CWORD - 2]}}
    elif [[ ${{COMP_WORDS[COMP_CWORD - 1]}} == -* ]]; then
        option=${{COMP_WORDS[COMP_CWORD - 1]}}
    fi
    if [[ -n $option ]] && option=$(_evenkeel_values "$cmd:$option") && [[ -n $option ]]; then
        _evenkeel_offer "$option" "$cur"
        return
    fi
    if [[ $cur == -* ]]; then
        _evenkeel_offer "words $(_evenkeel_options "$cmd")" "$cur"
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${{COMP_WORDS[i]}} == -* ]]; then
            [[ ${{COMP_WORDS[i + 1]}} == '=' ]] && ((i += 2)) && continue
            [[ -n $(_evenkeel_values "$cmd:${{COMP_WORDS[i]}}") ]] && ((i++))
            continue
        fi
        ((n++))
    done
    _evenkeel_offer "$(_evenkeel_arguments "$cmd:$((n + 1))")" "$cur"
}}

complete -F _evenkeel evenkeel
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_spec(option):
    doc = re.sub(r"([\[\]:\\])", r"\\\1", option.doc)
    action = {"none": "", "words": f":{option.arg}:({' '.join(option.words or [])})", "dir": f":{option.arg}:_files -/",
              "file": f":{option.arg}:_files", "text": f":{option.arg}: "}[option.kind]
    for name in option.names:
        before = "*" if option.repeats else f"({' '.join(option.names)})" if option.short else ""
        joined = "" if option.arg is None else "=" if name.startswith("--") else "+"
        yield quoted(f"{before}{name}{joined}[{doc}]{action}")


def zsh(commands):
    listed = "\n".join(f"    {quoted(c.name + ':' + c.doc)}" for c in commands)
    cases = []
    for c in commands:
        specs = [s for o in c.options for s in zsh_spec(o)]
        if c.verbs:
            specs.append(quoted(f"1:what:({' '.join(c.verbs)})"))
        specs.append(quoted("*:file:_files" if c.takes_file else "*: : "))
        lines = " \\\n        ".join(specs)
        cases.append(f"  {c.name})\n    _arguments -s -S \\\n        {lines}\n    ;;")
    return "#compdef evenkeel\n" + HEAD.format("zsh") + f"""
_evenkeel() {{
  local -a commands=(
{listed}
    'help:the options of a command'
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    _arguments '--help[print the commands]' '--version[print versions]'
    return
  fi
  local cmd=$words[2]
  shift words
  (( CURRENT-- ))
  case $cmd in
{chr(10).join(cases)}
  help) (( CURRENT == 2 )) && _describe -t commands command commands ;;
  esac
}}

_evenkeel "$@"
"""


def fish(commands):
    lines = [HEAD.format("fish"), """\
function __evenkeel_in --description 'Whether the command line is of this command'
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = "$argv[1]"
end

function __evenkeel_needs_command --description 'Whether no command is given yet'
    test (count (commandline -opc)) -eq 1
end

complete -c evenkeel -f
complete -c evenkeel -n __evenkeel_needs_command -l help -s h -d 'Print the commands'
complete -c evenkeel -n __evenkeel_needs_command -l version -s V -d 'Print versions'
complete -c evenkeel -n __evenkeel_needs_command -a help -d 'The options of a command'"""]
    for c in commands:
        lines.append(f"complete -c evenkeel -n __evenkeel_needs_command -a {c.name} -d {fish_quoted(c.doc)}")
    lines.append(f"complete -c evenkeel -n '__evenkeel_in help' -a '{' '.join(c.name for c in commands)}'")
    for c in commands:
        here = f"complete -c evenkeel -n '__evenkeel_in {c.name}'"
        lines.append("")
        if c.verbs:
            lines.append(f"{here} -a '{' '.join(c.verbs)}'")
        if c.takes_file:
            lines.append(f"{here} -F")
        for o in c.options:
            short = f" -s {o.short}" if o.short else ""
            value = {"none": "", "words": f" -x -a '{' '.join(o.words or [])}'", "text": " -x", "file": " -r -F",
                     "dir": " -x -a '(__fish_complete_directories)'"}[o.kind]
            lines.append(f"{here} -l {o.long}{short}{value} -d {fish_quoted(o.doc)}")
    return "\n".join(lines) + "\n"


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def make(binary):
    commands = read(binary)
    return {"evenkeel.bash": bash(commands), "evenkeel.zsh": zsh(commands), "evenkeel.fish": fish(commands)}


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else pathlib.Path(__file__).parent)
    for name, text in make(os.path.abspath(sys.argv[1])).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
