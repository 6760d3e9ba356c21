# The proxy as kube-proxy's DaemonSets expect it: /usr/local/bin/kube-proxy, and no entry point. Both kinds of iptables
# tools are there; which of them a node uses is found out on the node, by the proxy itself.
#
#   docker build --build-arg VERSION=1.2.3 --tag pykubeproxy:1.2.3 .
#
# VERSION is what the program and the label say; git, which knows it elsewhere, is not asked in here.
# requirements*.lock hold the exact versions of everything that is not Debian's; `make lock` renews them.
ARG BASE=debian:bookworm-20260824-slim
ARG VERSION=0.0.0

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
RUN python3 -m venv /tools \
    && python3 -m venv --without-pip /opt/pykubeproxy \
    && /tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements-build.lock \
    && /tools/bin/pip --python /opt/pykubeproxy/bin/python3 \
        install --no-cache-dir --no-compile --require-hashes --only-binary :all: --requirement requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY pykubeproxy pykubeproxy
ARG VERSION
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION \
    /tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist . \
    && /tools/bin/pip --python /opt/pykubeproxy/bin/python3 install --no-index --no-deps --no-compile /dist/*.whl
# Of the Kubernetes client only configuration and transport are used: not its asynchronous part with the packages that
# only this one needs, nor the classes of all APIs. rich needs pygments and markdown-it-py for what is not used here either.
WORKDIR /opt/pykubeproxy/lib
RUN /tools/bin/pip --python /opt/pykubeproxy/bin/python3 uninstall --yes \
        aiohappyeyeballs aiohttp aiohttp-retry aiosignal attrs frozenlist multidict propcache yarl \
        markdown-it-py mdurl pygments tzdata \
    && rm -r python3*/site-packages/kubernetes/aio python3*/site-packages/kubernetes/client/api \
    && find python3*/site-packages/kubernetes/client/models -name '*.py' ! -name __init__.py -delete \
    && python3 -m compileall -q .

FROM ${BASE}
ARG VERSION
LABEL org.opencontainers.image.title="pykubeproxy" \
      org.opencontainers.image.description="The Service proxy of a Kubernetes node: kube-proxy's iptables mode" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"
# kmod: the legacy tools load their kernel modules with modprobe, from the node's /lib/modules.
# Of Python's own library, large modules that nothing here imports are taken out.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends iptables kmod python3 \
    && apt-get clean \
    && rm -r /var/lib/apt/lists/* \
    && for module in distutils lib2to3 pydoc_data test unittest venv xml xmlrpc; do \
        rm -r "/usr/lib/python3.11/$module"; done
COPY --from=build /opt/pykubeproxy /opt/pykubeproxy
RUN ln -s /opt/pykubeproxy/bin/kube-proxy /opt/pykubeproxy/bin/pykubeproxy /usr/local/bin/
# Bytecode is there already, where it can be of use, and logs are read while the proxy runs.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
CMD ["kube-proxy", "--help"]
