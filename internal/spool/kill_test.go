package spool

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// childEnv makes the test binary append to the spool in this folder.
const childEnv = "SPOOL_TEST_CHILD"

// runChild appends forever and prints the id of each record when it is acknowledged, each with one write, so that a
// kill leaves no partial id.
func runChild(dir string) {
	s, err := Open(dir, DefaultOptions())
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			b, err := s.Next(context.Background(), DefaultLimits())
			if err != nil {
				panic(err)
			}
			for _, r := range b.Records {
				fmt.Fprintf(os.Stdout, "out %s\n", strings.Fields(string(r))[0])
			}
			if err := s.Ack(b); err != nil {
				panic(err)
			}
		}
	}()
	var group sync.WaitGroup
	for a := range 32 {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), a, i)
				if err := s.Append(context.Background(), []byte(id+strings.Repeat(" padding", 100))); err != nil {
					panic(err)
				}
				fmt.Fprintf(os.Stdout, "in %s\n", id)
			}
		})
	}
	group.Wait()
}

// TestKill kills a process that appends and drains, several times, and verifies that no acknowledged record is lost.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	out := map[string]int{}
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+dir)
		child.Stderr = os.Stderr
		pipe, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, killed := bufio.NewScanner(pipe), false
		for n := 0; lines.Scan(); n++ {
			direction, id, _ := strings.Cut(lines.Text(), " ")
			if direction == "in" {
				acknowledged[id] = true
			} else {
				out[id]++
			}
			if n > 5_000*(round+1) && !killed {
				killed = true
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		child.Wait()
	}
	s := open(t, dir, options(vfs.Default))
	if d := s.Stat().Damaged; len(d) > 0 {
		t.Fatalf("damaged: %+v", d)
	}
	for _, r := range drain(t, s) {
		out[strings.Fields(r)[0]]++
	}
	for id := range acknowledged {
		if out[id] == 0 {
			t.Errorf("%s was acknowledged, but not drained", id)
		}
	}
	t.Logf("%d acknowledged, %d out", len(acknowledged), len(out))
}
