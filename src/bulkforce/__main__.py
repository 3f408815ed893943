"""`python -m bulkforce`: the command line, where its script is not on the PATH."""

from bulkforce.cli.main import main

if __name__ == "__main__":
    main()
