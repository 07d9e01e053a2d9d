"""``python -m benchmarl_hyper.cli`` is the console script."""

from benchmarl_hyper.cli.door import main

if __name__ == "__main__":
    main()
