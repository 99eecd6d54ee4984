package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"testing"
	"time"
)

// clusterVariable has the format of the data source names of a cluster's databases in a process that OnCluster runs.
const clusterVariable = "HOOKTAPE_TEST_CLUSTER"

// taken counts the databases that this process has used.
var taken atomic.Int64

// IsOnCluster reports whether OnCluster runs this process.
func IsOnCluster() bool { return os.Getenv(clusterVariable) != "" }

// ClusterDSN returns the data source name of a new database of the cluster that OnCluster runs this process on, or ""
// in any other process.
func ClusterDSN() string {
	format := os.Getenv(clusterVariable)
	if format == "" {
		return ""
	}
	n := taken.Add(1) - 1
	if n >= clusterDatabases {
		panic("the cluster has no shards in any more databases: make clusterDatabases larger")
	}
	return fmt.Sprintf(format, n)
}

// Whole reports whether all tests should run on a cluster (`make cluster`), not only the fast ones.
func Whole() bool { return os.Getenv("HOOKTAPE_TEST_WHOLE") != "" }

// OnCluster runs tests of this binary, selected by flags of go test (-test.run …), in another process whose ClusterDSN
// names databases of a Cluster. At least atLeast tests, including subtests, must pass, and none may fail.
func OnCluster(t *testing.T, shardedBy map[string]string, atLeast int, flags ...string) {
	t.Helper()
	if IsOnCluster() {
		t.Fatal("OnCluster was called in a process of OnCluster")
	}
	tests := exec.Command(os.Args[0], append(flags, "-test.v", "-test.timeout", "9m")...)
	tests.Env = append(os.Environ(), clusterVariable+"="+Cluster(t, shardedBy))
	tests.WaitDelay = 10 * time.Second // for leftover processes of a killed test
	out, err := tests.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, noise.ReplaceAllString(string(out), ""))
	}
	if n := len(passes.FindAll(out, -1)); n < atLeast {
		t.Errorf("%d tests passed, want at least %d", n, atLeast)
	}
}

var passes = regexp.MustCompile(`(?m)^ *--- PASS: `)

// noise matches go test's output about passed tests.
var noise = regexp.MustCompile(`(?m)^\s*(=== .*|--- PASS.*)\n`)
