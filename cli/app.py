"""The `frond` command: its subcommands by name, each loaded when it is called, and errors as one line."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from cli.failure import Failure
from stack.errors import StackError

INTERRUPTED = 130  # 128 + SIGINT, as shells do

# Loaded on demand: `frond doctor` runs where packages are missing, and `frond up` does not wait for those of `model`.
COMMANDS = {
    "demo": "cli.demo:demo",
    "up": "cli.runtime:up",
    "down": "cli.runtime:down",
    "status": "cli.status:status",
    "doctor": "cli.doctor:doctor",
    "diagnose": "cli.diagnose:diagnose",
    "model": "cli.model:app",
    "dashboard": "cli.dashboard.command:dashboard",
    "capacity": "cli.capacity.command:capacity",
    "trace": "cli.trace.command:trace",
    "token": "cli.token:token",
}


def command_app(arguments: list[str]) -> typer.Typer:
    """The application with the command that the arguments name, or with all of them for the list in `--help`."""
    app = typer.Typer(name="frond", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(frond)
    for name in arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def frond() -> None:
    """Cloud diagnosis of leaf photos: the local runtime and its tools."""


def main() -> None:
    """Run the command; an error that a user can act on is one line on standard error, without a traceback."""
    try:
        command_app(sys.argv[1:])()
    except (Failure, StackError) as error:
        _report(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        _report(f"{error.name} is not installed in {sys.prefix}; `frond doctor` says what is missing.", 1)
    except OSError as error:
        _report(f"{error.filename or 'frond'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _report(message: str, exit_code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
