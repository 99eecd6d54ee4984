package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"hooktape/internal/store"
)

// A clock that is off by a second mixes up the order of two machines' events; off by a minute, it breaks live delivery
// and the times in dashboards.
const (
	clockNotice  = time.Second
	clockProblem = time.Minute
)

// clickhouse checks the server, its user and hooktape's tables.
func (d *doctor) clickhouse(ctx context.Context) []Finding {
	db, err := d.cfg.OpenStore()
	if err != nil {
		return []Finding{bad("correct it in the configuration", "%v", err)}
	}
	defer db.Close()
	h, err := db.Health(ctx)
	switch {
	case errors.Is(err, store.ErrUnavailable) && d.cfg.UsesEngine():
		return []Finding{warn("it runs with `hooktape serve`", "the embedded engine does not answer at %s",
			d.cfg.Embedded.Addr)}
	case errors.Is(err, store.ErrUnavailable):
		return []Finding{bad("start it, or correct the DSN; meanwhile webhooks wait on disk", "%v", err)}
	case errors.Is(err, store.ErrUnauthorized):
		return []Finding{bad("check the user and password in the DSN", "%v", err)}
	case err != nil:
		return []Finding{bad("see ClickHouse's log", "%v", err)}
	}
	list := []Finding{ok("answers; version %s, user %s, database %s", h.Version, h.User, db.Database())}
	if len(h.Missing) > 0 {
		list = append(list, bad("GRANT ALL ON "+db.Database()+".* TO "+h.User, "the user lacks %s",
			strings.Join(h.Missing, ", ")))
	}
	if len(h.Settings) > 0 {
		list = append(list, bad("change them in the user's settings profile, or in the DSN",
			"the user has settings under which hooktape cannot work rightly: %s", strings.Join(h.Settings, ", ")))
	}
	if len(h.MissingOnCluster) > 0 {
		rights := strings.Join(h.MissingOnCluster, ", ")
		list = append(list, bad("GRANT "+rights+" ON *.* TO "+h.User, "on a cluster the user needs %s as well", rights))
	}
	if h.Cluster != nil {
		list = append(list, clusterFindings(d.cfg.ClickHouse.Cluster, *h.Cluster)...)
	}
	list = append(list, schemaFinding(h.Schema), clockFinding(h.Ahead))
	if h.Schema.At == 0 {
		return list
	}
	detached, err := db.DetachedParts(ctx)
	if err != nil {
		return append(list,
			warn("GRANT SELECT ON system.detached_parts TO "+h.User+
				", and the same ON system.parts; or see ClickHouse's log", "damaged parts would not be noticed: %v",
				err))
	}
	return append(list, damageFindings(detached)...)
}

// clusterFindings reports causes, and omits their consequences.
func clusterFindings(name string, c store.ClusterHealth) []Finding {
	if c.Servers == 0 {
		return []Finding{bad("name one of `SELECT DISTINCT cluster FROM system.clusters`, or add it to "+
			"remote_servers in the configuration of all servers", "the server knows no cluster %q", name)}
	}
	list := []Finding{ok("the cluster %s has %s and %s", name, english.Plural(int(c.Shards), "shard", ""),
		english.Plural(int(c.Servers), "server", ""))}
	if c.WrittenTwice {
		list = append(list,
			bad("set <internal_replication>true</internal_replication> for each shard in remote_servers",
				"what is inserted would be written to each replica twice"))
	}
	if len(c.Macros) > 0 {
		list = append(list, bad("set them in <macros> of each server's configuration",
			"the server that was asked has no macro %s", strings.Join(c.Macros, ", ")))
	}
	if c.Silent > 0 {
		list = append(list, bad("see whether ClickHouse runs on each; the errors in system.clusters tell which it is",
			"of the servers %d cannot be reached from the one that was asked", c.Silent))
	}
	if c.Keeper != nil {
		return append(list, bad("start ClickHouse Keeper, and name it in <zookeeper> of each server's configuration",
			"Keeper cannot be used: %v", c.Keeper))
	}
	if len(c.Differing) > 0 {
		list = append(list, bad("make them as in docs/OPERATIONS.md, \"Grow to a cluster\"",
			"servers whose tables differ from those of the one that was asked: %s", strings.Join(c.Differing, ", ")))
	}
	if len(c.Behind) > 0 {
		list = append(list, bad("see system.replicas and system.replication_queue there",
			"replicas that take nothing, or are more than a minute behind: %s", strings.Join(c.Behind, ", ")))
	}
	return list
}

func schemaFinding(s store.Schema) Finding {
	switch {
	case s.At > s.Known:
		return bad("install the newer hooktape that has made them",
			"the tables are newer (%d) than this program knows (%d)", s.At, s.Known)
	case s.TooOld:
		return bad("make a backup with the hooktape that runs there, and restore it with this one: "+
			"docs/OPERATIONS.md, \"Upgrade\"", "the tables are at %d, and this program updates from %d on", s.At,
			store.OldestSchema)
	case s.At == 0:
		return warn("hooktape makes them at its start; or hooktape migrate", "there are no tables yet")
	case s.At < s.Known:
		return warn("hooktape does that at its start; or hooktape migrate",
			"the tables are at %d, and this program brings them to %d", s.At, s.Known)
	}
	return ok("the tables are up to date")
}

// clockFinding compares this machine's clock with ClickHouse's; both may be wrong.
func clockFinding(ahead time.Duration) Finding {
	const do = "keep both clocks right (systemd-timesyncd, chrony)"
	switch apart := ahead.Abs(); {
	case apart > clockProblem:
		return bad(do, "its clock and this machine's are %v apart", apart.Round(time.Second))
	case apart > clockNotice:
		return warn(do, "its clock and this machine's are %v apart", apart.Round(100*time.Millisecond))
	}
	return ok("its clock agrees with this machine's")
}

// damageFindings reports damaged parts.
func damageFindings(parts []store.DamagedPart) (list []Finding) {
	for _, p := range parts {
		list = append(list, bad(p.Remedy(), "%s", p))
	}
	return list
}

// data reads all parts of ClickHouse's tables.
func (d *doctor) data(ctx context.Context) []Finding {
	db, err := d.cfg.OpenStore()
	if err != nil {
		return []Finding{bad("correct it in the configuration", "%v", err)}
	}
	defer db.Close()
	var read uint64
	damaged, err := db.CheckParts(ctx, time.Time{}, func(table string, done, total uint64) {
		read = total
		if d.Progress != nil {
			d.Progress(table, done, total)
		}
	})
	list := damageFindings(damaged)
	switch {
	case err != nil:
		return append(list, bad("see that ClickHouse runs, and its log; then try again",
			"not all parts could be checked: %v", err))
	case len(list) == 0:
		return []Finding{ok("each part has the checksums with which it was written (%s)", humanize.IBytes(read))}
	}
	return list
}
