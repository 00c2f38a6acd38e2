"""`python -m universal_agent` is the `ua` command."""

from universal_agent.cli.main import main

if __name__ == "__main__":
    main()
