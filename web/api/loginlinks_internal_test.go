package api

import (
	"crypto/sha256"
	"testing"
	"time"
)

// TestLoginLinkExpires: a link works for ten minutes, once, and the number of links has a limit.
func TestLoginLinkExpires(t *testing.T) {
	l := &loginLinks{open: map[[sha256.Size]byte]openLink{}}
	begin := time.Now()
	user := Principal{"boss", RoleAdmin}
	for after, ok := range map[time.Duration]bool{0: true, LoginLinkLife - time.Second: true, LoginLinkLife: false,
		time.Hour: false} {
		secret, _ := l.create(user, begin)
		if got, used := l.use(secret, begin.Add(after)); used != ok || ok && got != user {
			t.Errorf("after %s: %v %v", after, got, used)
		}
		if _, again := l.use(secret, begin); again {
			t.Errorf("after %s it works twice", after)
		}
	}
	if _, ok := l.use("", begin); ok {
		t.Error("an empty secret works")
	}
	oldest, _ := l.create(user, begin)
	for i := range maxLoginLinks {
		l.create(user, begin.Add(time.Duration(i+1)*time.Second))
	}
	if _, ok := l.use(oldest, begin); ok || len(l.open) > maxLoginLinks {
		t.Errorf("the oldest link lives on among %d", len(l.open))
	}
}
