"""`python -m sandbox`: the simulated CRMs on 127.0.0.1."""

import argparse

from sandbox.app import PORT, SEED, SIZE, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="The simulated CRMs, on 127.0.0.1 only.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--size", type=int, default=SIZE, help="persons in the large account of each CRM")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    serve(given.port, given.size, given.seed)


if __name__ == "__main__":
    main()
