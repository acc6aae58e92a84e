/usr/bin/python3 - <<'PY'
import subprocess
assert subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in", capture_output=True).stdout == b"in"
assert subprocess.Popen(["true"], start_new_session=True, close_fds=True).wait() == 0
PY
