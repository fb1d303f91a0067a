"""The command line: the app, and the one place that turns errors into exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from replicator import __version__
from replicator.cli.commands import Program
from replicator.cli.exit_codes import FAILED, USAGE, code_of
from replicator.cli.groups import examples, help_unless_called
from replicator.cli.interruption import Interrupted
from replicator.cli.messages import complain, say
from replicator.cli.session import Session, session_of
from replicator.errors import InvalidRequest, ReplicatorError, RunNotFound

_INTERRUPTED = 130

app = typer.Typer(
    name="replicate",
    cls=Program,
    help="Keep container repositories in step between registries.",
    epilog=examples(
        "replicate demo",
        "replicate copy alpine:3.20 registry.example.com/alpine:3.20",
        "replicate --config rules.toml run",
    ),
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line and exit with the code that the outcome calls for.

    0 success or nothing to do · 1 failed · 2 usage or configuration · 3 partial · 4 a rule
    selected nothing · 130 interrupted by Ctrl-C, 143 by SIGTERM.
    """
    code = _complete() if "_REPLICATE_COMPLETE" in os.environ else _exit_code(Session())
    _flush()
    # What there is to say has been said: Ctrl-C would only add a trace.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The interpreter looks through all objects once more before it ends, most of them modules:
    # 0.15 s of a command that does next to nothing.
    gc.freeze()
    sys.exit(code)


def _complete() -> int:
    """Tell the shell what there is to offer."""
    from replicator.cli.bash_words import with_whole_words

    return with_whole_words(os.environ, lambda: _exit_code(Session()))


def _show_version(wanted: bool | None) -> None:
    if wanted:
        print(f"replicate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Configuration file. Else $REPLICATOR_CONFIG, else ./config.toml if there is one.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="sqlite:///FILE or postgresql://USER@HOST/NAME. Else $REPLICATOR_DATABASE, else "
            "what the configuration says, else ./replicator.db.",
        ),
    ] = None,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="Say more; twice: each request.")
    ] = 0,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    from replicator.cli.logs import set_up_logs

    session = session_of(context)
    session.config_file, session.database_url = config, database
    session.verbosity = verbose
    help_unless_called(context)
    set_up_logs(verbose)


def _exit_code(session: Session) -> int:
    try:
        code = app(prog_name="replicate", standalone_mode=False, obj=session)
        _flush()
    except Interrupted as error:
        kept = "; what was copied stays, and the next run goes on from there"
        complain(f"interrupted{kept if error.copies else ''}")
        return 128 + error.number
    except typer.Abort:
        return _INTERRUPTED
    except typer.TyperException as error:
        return _refuse(error)
    except ReplicatorError as error:
        complain(_said(error))
        return code_of(error)
    except OSError as error:
        # A file that somebody named, or a full disk behind standard output; the errors of
        # registries, databases and layouts have names of their own.
        place = f"{error.filename}: " if error.filename else ""
        complain(f"{place}{(error.strerror or str(error)).lower()}")
        if not error.filename:
            _give_up(sys.stdout)
        return USAGE if error.filename else FAILED
    except Exception as error:
        complain(
            f"internal error: {error!r}; this is a mistake in replicate, please report it "
            "with what `replicate -v …` shows"
        )
        _show_trace(session)
        return FAILED
    return code if isinstance(code, int) else 0


def _said(error: ReplicatorError) -> str:
    """Return an error with what whoever typed the command needs to know besides."""
    match error:
        case InvalidRequest():
            return f"{error.field}: {error}"
        case RunNotFound():
            return f"{error}; `replicate runs list` shows them"
        case _:
            return str(error)


def _refuse(error: typer.TyperException) -> int:
    """Say what is wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    hint = f"; try `{context.command_path} --help`" if context is not None else ""
    complain(_misplaced(error) or error.format_message().rstrip(".") + hint)
    return USAGE


def _misplaced(error: typer.TyperException) -> str:
    """Say where an option belongs that a command was given, and that the program itself has."""
    option, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if context is None or not option:
        return ""
    program = context.find_root()
    for known in program.command.params:
        # What shows something and exits has no command to come before.
        if option in known.opts and known.expose_value and not known.is_eager:
            words = filter(None, (program.command_path, option, known.metavar))
            command = context.command_path.removeprefix(program.command_path)
            return f"`{option}` belongs before the command: {' '.join(words)}{command}"
    return ""


def _show_trace(session: Session) -> None:
    """Show where an error comes from to those who asked for more."""
    if session.verbosity:
        import traceback

        for line in traceback.format_exc().splitlines():
            say(line)


def _flush() -> None:
    """Write what is left. A reader that is gone, such as ``head``, is no failure."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let what is left go nowhere: the interpreter flushes once more, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
