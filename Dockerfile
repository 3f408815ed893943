# An emulated org in a container: docker build -t bulkforce-emulator . && docker run -p 8080:8080 bulkforce-emulator
FROM python:3.13-slim

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir '.[emulator]' \
    && useradd --create-home org

USER org
WORKDIR /home/org
EXPOSE 8080
HEALTHCHECK --interval=2s --timeout=2s --retries=15 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/services/data')"]
# The session id is only a default, for an org that holds nothing; --allow-host is the name of the service in compose.yaml.
ENTRYPOINT ["bulkforce", "emulator", "--host", "0.0.0.0", "--port", "8080", "--allow-host", "org"]
CMD ["--session-id", "00Demulated"]
