package harness

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain prints the time for each line on standard input when TestSetClock runs this program as its process.
func TestMain(m *testing.M) {
	if os.Getenv("HARNESS_TEST_CLOCK") == "" {
		os.Exit(m.Run())
	}
	begun := time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(time.Now().Unix(), int64(time.Since(begun).Seconds()))
	}
}

// TestSetClock verifies that a process's wall clock jumps forward and back while its monotonic clock continues.
func TestSetClock(t *testing.T) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "HARNESS_TEST_CLOCK=1")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = command.Wait() }()
	answers := bufio.NewScanner(out)
	for _, ahead := range []time.Duration{0, 2 * time.Hour, -time.Hour, 0} {
		if err := setClock(command.Process.Pid, ahead); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(in)
		if !answers.Scan() {
			t.Fatalf("the process has ended: %v", answers.Err())
		}
		wall, mono, _ := strings.Cut(answers.Text(), " ")
		says, err := strconv.ParseInt(wall, 10, 64)
		if off := time.Unix(says, 0).Sub(time.Now().Add(ahead)); err != nil || off.Abs() > time.Minute {
			t.Errorf("clock set to %v: it is off by %v (%v)", ahead, off, err)
		}
		if seconds, err := strconv.Atoi(mono); err != nil || seconds < 0 || seconds > 60 {
			t.Errorf("clock set to %v: the monotonic clock shows %q seconds", ahead, mono)
		}
	}
}
