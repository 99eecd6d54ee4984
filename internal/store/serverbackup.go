package store

import (
	"context"
	"fmt"
)

// BackupToDisk lets the server back the database up by itself, under a name on one of the disks that its configuration
// allows backups on; on a cluster one that all servers share, such as an S3 bucket. What it writes is a moment of each table.
func (s *Store) BackupToDisk(ctx context.Context, disk, name string) error {
	return explain("back up", s.patient.Exec(ctx, fmt.Sprintf("BACKUP DATABASE %s TO Disk(%s, %s)", s.cluster.whole(), quoteText(disk), quoteText(name))))
}

// RestoreFromDisk is the way back, into a database of the same name that is empty or not there.
func (s *Store) RestoreFromDisk(ctx context.Context, disk, name string) error {
	conn, err := s.withoutDatabase(patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	return explain("restore", conn.Exec(ctx, fmt.Sprintf("RESTORE DATABASE %s FROM Disk(%s, %s)", s.cluster.whole(), quoteText(disk), quoteText(name))))
}
