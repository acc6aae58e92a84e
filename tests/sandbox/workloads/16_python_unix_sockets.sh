/usr/bin/python3 - <<'PY'
import socket, threading
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
server.listen()
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
assert client.recv(5) == b"hello"
a, b = socket.socketpair()
a.sendall(b"x")
assert b.recv(1) == b"x"
PY
