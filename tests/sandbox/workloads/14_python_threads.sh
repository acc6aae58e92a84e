/usr/bin/python3 - <<'PY'
import threading, queue
jobs, done = queue.Queue(), []
threads = [threading.Thread(target=lambda: done.append(jobs.get())) for _ in range(8)]
for thread in threads: thread.start()
for i in range(8): jobs.put(i)
for thread in threads: thread.join()
assert sorted(done) == list(range(8))
PY
