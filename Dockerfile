# The gateway in a container. As shipped it listens on loopback only, for it has no authentication yet; so for now it is
# run in the host's network, by an ordinary user:
#
#   docker build -t crosswalk .
#   docker run --rm --network host -v crosswalk:/data -e CROSSWALK_SANDBOX=1 crosswalk
#
# The embedded database keeps its files in /data; set DATABASE_URL to use a Postgres of your own.

FROM python:3.11-slim

RUN useradd --uid 10001 --create-home crosswalk && install -d -o crosswalk -g crosswalk -m 700 /data
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock

COPY connectors ./connectors
COPY gateway ./gateway
COPY resolvers ./resolvers
COPY sandbox ./sandbox
COPY schema ./schema
COPY storage ./storage
COPY sync ./sync
COPY LICENSE NOTICE ./

ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CROSSWALK_DATA=/data
USER crosswalk
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGINT

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz', timeout=2)"]

CMD ["python", "-m", "gateway", "serve"]
