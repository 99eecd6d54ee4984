package replay

import (
	"strings"
	"testing"
)

// TestTargetNamesDistinguishURLs verifies that two URLs of one host have different names, that a name contains no
// secret, and that the name of a name is itself.
func TestTargetNamesDistinguishURLs(t *testing.T) {
	seen := map[string]string{}
	for _, url := range []string{"http://h/h.php?action=lead", "http://h/h.php?action=deal", "http://h/h.php?lead",
		"http://h/h.php?deal", "http://h/h.php", "http://h/h.php?", "http://h/h.php?action=lead&token=s3cret"} {
		name := TargetName(url)
		if other := seen[name]; other != "" {
			t.Errorf("%s and %s have the same name %s", url, other, name)
		}
		seen[name] = url
		if strings.Contains(name, "lead") || strings.Contains(name, "s3cret") {
			t.Errorf("%s has the name %s, which shows a secret", url, name)
		}
		if again := TargetName(name); again != name {
			t.Errorf("the name of %s is %s", name, again)
		}
		if e := adHoc(url, false); e.Name != name || e.URL != url {
			t.Errorf("the endpoint of %s is %s at %s", url, e.Name, e.URL)
		}
	}
	for endpoint, want := range map[string]string{"crm": "crm", "http://h/h": "http://h/h",
		"http://h/h#s3cret": "http://h/h", "http://h/h#deadbeef": "http://h/h",
		"http://h/h.php?action=***": "http://h/h.php?action=***", " HTTP://H/h ": "http://h/h",
		"http://h/?a=***#s3cret": "http://h/?a=***"} {
		if got := TargetName(endpoint); got != want {
			t.Errorf("%q has the name %q, want %q", endpoint, got, want)
		}
	}
}
