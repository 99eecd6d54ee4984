package libchdb

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// forgetLostInserts removes inserts without rows from the deduplication logs, and returns their number.
//
// ClickHouse logs an insert's token before it renames the part into place (MergeTreeSink::commitPart). A process that
// is killed between the two leaves a token without its rows. It would take the same insert, sent again, for a
// duplicate, and lose the rows. The engine must not run.
func forgetLostInserts(dir string) (forgotten int, err error) {
	logs, err := filepath.Glob(filepath.Join(dir, "store", "*", "*", "deduplication_logs"))
	if err != nil {
		return 0, err
	}
	for _, log := range logs {
		n, err := forgetLostInsertsOf(log)
		if err != nil {
			return forgotten, fmt.Errorf("compare the inserts that a table remembers with its parts: %w", err)
		}
		forgotten += n
	}
	return forgotten, nil
}

// forgetLostInsertsOf appends to the newest log of one table. A record is "1", the part and the token of a logged
// insert, or "2" and the same for a forgotten one (MergeTreeDeduplicationLog).
func forgetLostInsertsOf(dir string) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "deduplication_log_*.txt"))
	if err != nil || len(files) == 0 {
		return 0, err
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	parts, err := partsIn(filepath.Dir(dir))
	if err != nil {
		return 0, err
	}
	lost := map[string]string{} // the part of each token
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(data)) {
			operation, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			name, token, whole := strings.Cut(rest, "\t")
			delete(lost, token)
			if inserted, known := parsePart(name); whole && known && operation == "1" && !inserted.in(parts) {
				lost[token] = name
			}
		}
	}
	if len(lost) == 0 {
		return 0, nil
	}
	newest, err := os.OpenFile(files[len(files)-1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	defer newest.Close()
	var records strings.Builder
	for token, name := range lost {
		fmt.Fprintf(&records, "2\t%s\t%s\n", name, token)
	}
	if _, err := newest.WriteString(records.String()); err != nil {
		return 0, err
	}
	return len(lost), newest.Sync()
}

// part is the parsed name of a part: it holds the blocks from min to max of a partition.
type part struct {
	partition string
	min, max  uint64
}

// partName is partition_min_max_level, and a mutation's number.
var partName = regexp.MustCompile(`^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$`)

func parsePart(name string) (p part, ok bool) {
	match := partName.FindStringSubmatch(name)
	if match == nil {
		return p, false
	}
	min, errMin := strconv.ParseUint(match[2], 10, 64)
	max, errMax := strconv.ParseUint(match[3], 10, 64)
	return part{match[1], min, max}, errMin == nil && errMax == nil
}

// partsIn lists the parts in a table's directory.
func partsIn(dir string) (parts []part, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if p, ok := parsePart(entry.Name()); ok {
			parts = append(parts, p)
		}
	}
	return parts, err
}

// in reports whether the list has the part, itself or merged with others.
func (p part) in(parts []part) bool {
	return slices.ContainsFunc(parts, func(other part) bool {
		return other.partition == p.partition && other.min <= p.min && p.max <= other.max
	})
}
