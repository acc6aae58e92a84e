cp "$WORKLOADS/java_program.txt" Main.java
javac Main.java
test "$(java -Xmx256m Main)" = ran
# Reads the control groups that it is in.
java -XshowSettings:system -version
