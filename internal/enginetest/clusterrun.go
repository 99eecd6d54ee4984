package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// clusterVariable is the format of the data source names of a cluster's databases, for tests that run once more.
const clusterVariable = "HOOKTAPE_TEST_CLUSTER"

// taken counts the databases that this process has taken.
var taken atomic.Int64

// ClusterDSN is the data source name of a new database of the cluster that OnCluster runs this process on; "" in any
// other process.
func ClusterDSN() string {
	format := os.Getenv(clusterVariable)
	if format == "" {
		return ""
	}
	return fmt.Sprintf(format, taken.Add(1)-1)
}

// Whole tells whether all tests are to run on a cluster, as `make cluster` wants, and not only those that have a minute.
func Whole() bool { return os.Getenv("HOOKTAPE_TEST_WHOLE") != "" }

// OnCluster runs tests of this binary once more, chosen by flags of go test (-test.run …), in a process whose ClusterDSN names
// databases of a Cluster. At least so many must pass, and none fail.
func OnCluster(t *testing.T, shardedBy map[string]string, atLeast int, flags ...string) {
	t.Helper()
	if os.Getenv(clusterVariable) != "" {
		t.Fatal("the tests that run once more run themselves once more")
	}
	tests := exec.Command(os.Args[0], append(flags, "-test.v")...)
	tests.Env = append(os.Environ(), clusterVariable+"="+Cluster(t, shardedBy))
	tests.WaitDelay = 10 * time.Second // for what a killed test has left behind
	out, err := tests.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, noise.ReplaceAllString(string(out), ""))
	}
	if n := strings.Count("\n"+string(out), "\n--- PASS: "); n < atLeast {
		t.Errorf("%d tests passed, want at least %d", n, atLeast)
	}
}

// noise is what go test says of tests that pass.
var noise = regexp.MustCompile(`(?m)^\s*(=== .*|--- PASS.*)\n`)
