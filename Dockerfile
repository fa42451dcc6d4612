# The gateway in a container, run by an ordinary user:
#
#   docker build -t crosswalk .
#   docker run --name crosswalk -p 8000:8000 -v crosswalk:/data -e PUBLIC_URL=https://crm.example crosswalk
#   docker exec crosswalk python -m gateway workspaces create Acme --plan BUSINESS
#   docker exec crosswalk python -m gateway keys create --workspace Acme --role ADMIN
#
# The sandbox is for loopback only: --network host -e CROSSWALK_SANDBOX=1 -e HOST=127.0.0.1
# The embedded database and the keys are in /data; set DATABASE_URL to use a Postgres of your own.

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

ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CROSSWALK_DATA=/data HOST=0.0.0.0
USER crosswalk
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGINT

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz', timeout=2)"]

CMD ["python", "-m", "gateway", "serve"]
