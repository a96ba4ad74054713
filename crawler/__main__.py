"""The `crawl` command: `python -m crawler`. Loads the rest inside the guard, so that Ctrl-C is quiet from the start."""

import sys


def main() -> None:
    try:
        from crawler.cli import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
