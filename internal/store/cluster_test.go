package store_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// onCluster returns a database with all tables on a cluster of two shards.
func onCluster(t testing.TB, dsn string) db {
	t.Helper()
	s, err := store.OpenCluster(dsn, enginetest.ClusterName)
	if err != nil {
		t.Fatal(err)
	}
	d := besideCluster(t, s, dsn)
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	return d
}

func besideCluster(t testing.TB, s *store.Store, dsn string) db {
	t.Helper()
	d := withConn(t, s, dsn+"&distributed_product_mode=global&distributed_foreground_insert=1")
	d.cluster = true
	return d
}

// localTable returns the name of the local table that holds the rows of a table.
func (d db) localTable(table string) string {
	if d.cluster {
		return table + "_local"
	}
	return table
}

// singleAlone has the tests that only work on a single server, with the reason for each.
var singleAlone = map[string]string{
	"TestOnCluster":    "is this test",
	"TestErrorClasses": "breaks tables in ways that no cluster has",
	"TestProjections": "a projection lacks the column that selects a shard; on a cluster each server uses " +
		"its own",
	"TestCluster":                "starts its own cluster",
	"TestDeliveriesAreReordered": "creates tables of an earlier version, like the next one",
	"TestUpgradeOfOldestSchema":  "",
	"TestExpressionsAreConfined": "the engine of a cluster is not confined",
	"TestSpread":                 "needs no ClickHouse, like the next two", "TestSpreadRefuses": "", "TestNextStep": "",
}

// TestOnCluster runs tests of this package again on tables with two shards: one test for each kind of statement, or all
// tests.
func TestOnCluster(t *testing.T) {
	t.Parallel()
	if !enginetest.Whole() {
		enginetest.OnCluster(t, store.ShardedBy(), 10, "-test.run",
			"^(TestFreezeReplay|TestOutcomes|TestReplays|TestSelectedByState|TestSubscriberByEitherID|TestIDs|TestForwardStates|TestRetention|TestPurge|TestOrderOverASetBackClock)$")
		return
	}
	names := slices.Collect(maps.Keys(singleAlone))
	enginetest.OnCluster(t, store.ShardedBy(), 48, "-test.skip", "^("+strings.Join(names, "|")+")$")
}

// TestCluster tests what only a cluster has, on one engine. The first four tests share a database.
func TestCluster(t *testing.T) {
	t.Parallel()
	dsns := enginetest.Cluster(t, store.ShardedBy())
	d := onCluster(t, fmt.Sprintf(dsns, 0))
	for _, test := range []struct {
		name string
		run  func(t *testing.T, d db, dsns string)
	}{{"shards", testShards}, {"storage", testStorageOfCluster}, {"subscriber on one shard", testSubscriberOnOneShard},
		{"health", testClusterHealth}, {"layout is kept", testLayoutIsKept}} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d, dsns) })
	}
	t.Run("deliveries are reordered", func(t *testing.T) {
		testDeliveriesAreReorderedOnACluster(t, fmt.Sprintf(dsns, 1))
	})
}

// testShards verifies that both shards have some of the rows, and that repeated inserts are dropped.
func testShards(t *testing.T, d db, _ string) {
	var batch []event.Event
	for i := range 50 {
		batch = append(batch, eventAt(dawn, i))
	}
	stored := func(when string) {
		t.Helper()
		if err := d.InsertEvents(background, "spool-1-50", batch); err != nil {
			t.Fatal(err)
		}
		if got := d.text(t,
			"SELECT toString((min(n) > 10, count(), sum(n))) FROM (SELECT count() AS n FROM events GROUP BY shardNum())"); got != "(1,2,50)" {
			t.Errorf("%s: each shard has more than ten rows, number of shards, rows: %s", when, got)
		}
	}
	stored("once")
	stored("sent again")
	d.exec(t, "ALTER TABLE "+d.localTable("events")+" DROP PARTITION (202603, 1)") // forgets the insert, too
	stored("sent again after one shard had taken its part and the other had not")
}

var update = flag.Bool("update", false, "update testdata")

// TestSpread verifies that the migrations' statements for a cluster are those of the golden file, and that every
// migration has some.
func TestSpread(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		statements, err := store.Spread("main", "hooktape", os.DirFS("migrations"), filepath.Base(file))
		if err != nil || len(statements) == 0 {
			t.Errorf("%s: %d statements, %v", file, len(statements), err)
		}
		fmt.Fprintf(&all, "-- %s\n%s;\n\n", filepath.Base(file), strings.Join(statements, ";\n\n"))
	}
	const golden = "testdata/cluster.sql"
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != all.String() {
		t.Errorf("the migrations' statements differ from %s (%v): run go test ./internal/store -run TestSpread "+
			"-update and review git diff", golden, err)
	}
}

// TestSpreadRefuses verifies that an unknown kind of statement is an error instead of running on one server only.
func TestSpreadRefuses(t *testing.T) {
	for name, statement := range map[string]string{
		"a table without a key": "CREATE TABLE IF NOT EXISTS new\n(\n    id UUID\n)\nENGINE = MergeTree\nORDER BY id",
		"another engine": "CREATE TABLE IF NOT EXISTS events\n(\n    id UUID\n)\nENGINE = " +
			"SummingMergeTree\nORDER BY id",
		"another form":         "CREATE TABLE IF NOT EXISTS events (id UUID) ENGINE = MergeTree ORDER BY id",
		"a dropped column":     "ALTER TABLE events DROP COLUMN IF EXISTS ref",
		"changes of two kinds": "ALTER TABLE events ADD COLUMN IF NOT EXISTS a String, MATERIALIZE COLUMN a",
		"an index":             "ALTER TABLE events ADD INDEX IF NOT EXISTS b a TYPE minmax",
		"the same, line by line": "ALTER TABLE events\n    ADD COLUMN IF NOT EXISTS a String,\n    DROP COLUMN IF " +
			"EXISTS b",
		"no change":                "ALTER TABLE events",
		"rows changed":             "ALTER TABLE events UPDATE ref = '' WHERE true",
		"a function":               "CREATE FUNCTION IF NOT EXISTS f AS x -> x",
		"another statement behind": "CREATE OR REPLACE VIEW a AS\nSELECT 1;\nCREATE OR REPLACE VIEW b AS\nSELECT 1",
		"nothing":                  "",
	} {
		files := fstest.MapFS{"1.sql": {Data: []byte("-- +goose Up\n-- Why.\n" + statement + ";\n")}}
		if statements, err := store.Spread("main", "hooktape", files, "1.sql"); err == nil {
			t.Errorf("%s: %q", name, statements)
		}
	}
}

// testLayoutIsKept verifies that tables of a single server are not used as a cluster's, and the reverse.
func testLayoutIsKept(t *testing.T, _ db, dsns string) {
	cluster, alone := fmt.Sprintf(dsns, 0), fmt.Sprintf(dsns, 2)
	if _, err := open(t, alone).Migrate(background); err != nil {
		t.Fatal(err)
	}
	for dsn, name := range map[string]string{cluster: "", alone: enginetest.ClusterName} {
		s, err := store.OpenCluster(dsn, name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if applied, err := s.Migrate(background); !errors.Is(err, store.ErrOtherLayout) || applied != 0 {
			t.Errorf("on the cluster %q: %d migrations, %v", name, applied, err)
		}
	}
}

// testSubscriberOnOneShard verifies that all rows of a subscriber are on one shard. An insert becomes visible on one
// shard before the other, and no reader may see a subscriber's later event, or its delivery, without the earlier one.
func testSubscriberOnOneShard(t *testing.T, d db, _ string) {
	var batch []event.Event
	for i := range 60 {
		e := eventAt(dawn.Add(time.Duration(i)*time.Second), i)
		switch i % 3 {
		case 0:
			e.BothelpUserID = fmt.Sprint(i % 7)
		case 1:
			e.MessengerUserID = fmt.Sprint(i % 5)
		}
		e.Spool, e.SpoolNumber = "spool", uint64(i+1)
		batch = append(batch, e)
	}
	d.insert(t, batch...)
	ranges, err := d.Ranges(background, nil)
	if err != nil || len(ranges) != 1 {
		t.Fatalf("ranges: %+v, %v", ranges, err)
	}
	found, _, err := d.Follow(background, store.Queue{Endpoint: "crm"}, store.Subscription{}, ranges[0], 100)
	if err != nil || len(found) != len(batch) {
		t.Fatalf("the poller found %d of %d events, %v", len(found), len(batch), err)
	}
	if err := d.InsertDeliveries(background, found); err != nil {
		t.Fatal(err)
	}
	for table, subscriber := range map[string]string{"events": "bothelp_user_id || '/' || messenger_user_id || " +
		"if(bothelp_user_id || messenger_user_id = '', toString(id), '')", "deliveries": "subscriber"} {
		if got := d.text(t, "SELECT toString((uniqExactArray(shards), max(length(shards)))) FROM (SELECT "+subscriber+
			" AS whom, groupUniqArray(shardNum()) AS shards FROM "+table+" GROUP BY whom)"); got != "(2,1)" {
			t.Errorf("%s: number of shards, and the largest number for one subscriber: %s", table, got)
		}
	}
}

// testClusterHealth verifies that Health reports a cluster's problems, and an unknown cluster. Both shards of this
// cluster are one server.
func testClusterHealth(t *testing.T, d db, dsns string) {
	dsn := fmt.Sprintf(dsns, 0)
	h, err := d.Health(background)
	if err != nil || len(h.Missing)+len(h.MissingOnCluster)+len(h.Settings) > 0 || h.Cluster == nil {
		t.Fatalf("health %+v, %v", h, err)
	}
	c := *h.Cluster
	if c.Shards != 2 || c.Servers != 1 || c.WrittenTwice || strings.Join(c.Macros, " ") != "shard replica" ||
		c.Keeper == nil || c.Silent != 0 || len(c.Differing)+len(c.Behind) > 0 {
		t.Errorf("health of the cluster %+v", c)
	}
	elsewhere, err := store.OpenCluster(dsn, "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	queued, err := store.OpenCluster(dsn+
		"&distributed_foreground_insert=0&skip_unavailable_shards=1&distributed_product_mode=local",
		enginetest.ClusterName)
	if err != nil {
		t.Fatal(err)
	}
	defer queued.Close()
	if h, err := queued.Health(background); err != nil || len(h.Settings) != 3 {
		t.Errorf("settings in the DSN: %q, %v", h.Settings, err)
	}
	if h, err := elsewhere.Health(background); err != nil || h.Cluster == nil || h.Cluster.Servers != 0 {
		t.Errorf("unknown cluster: %+v, %v", h, err)
	}
	half, err := store.OpenCluster(dsn, enginetest.HalfCluster)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if h, err := half.Health(background); err != nil || h.Cluster == nil || h.Cluster.Servers != 2 ||
		h.Cluster.Silent != 1 {
		t.Errorf("cluster with an unreachable server: %+v, %v", h, err)
	}
}

// testStorageOfCluster verifies that the storage report counts each row once, under the table's name.
func testStorageOfCluster(t *testing.T, d db, _ string) {
	d.exec(t, "TRUNCATE TABLE "+d.localTable("events"))
	for i := range 20 {
		d.insert(t, eventAt(dawn, i))
	}
	report, err := d.StorageReport(background)
	if err != nil || len(report) == 0 || report[0].Table != "events" || report[0].Rows != 20 ||
		!report[0].Oldest.Equal(dawn) {
		t.Errorf("storage report %+v, %v", report, err)
	}
	if table, err := d.FilledTable(background); table != "events" || err != nil {
		t.Errorf("the first table with rows is %q, %v", table, err)
	}
}
