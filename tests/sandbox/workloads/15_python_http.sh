# A server and its client on loopback.
/usr/bin/python3 - <<'PY'
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
assert urllib.request.urlopen(url, timeout=5).status == 200
assert urllib.request.urlopen(url.replace("127.0.0.1", "localhost"), timeout=5).status == 200
server.shutdown()
PY
