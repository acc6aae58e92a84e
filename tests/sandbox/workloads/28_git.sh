export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=A
export GIT_COMMITTER_EMAIL=a@example.com
git init -q repository
cd repository
for i in 1 2 3; do echo $i > file; git add file; git commit -q -m "commit $i"; done
git gc -q
git clone -q . ../clone
test "$(git -C ../clone log --oneline | wc -l)" = 3
