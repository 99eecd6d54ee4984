package replay

import (
	"context"
	"slices"
	"strings"
)

// CheckEndpoints refuses names of endpoints that nothing can have been sent to: a mistyped one would select everything, or
// nothing. Known are the configured endpoints, those that were configured once, and the URLs that replays were sent to, as they
// are shown. Empty names are none. The error is an *InvalidError that lists the known names.
func (s *Service) CheckEndpoints(ctx context.Context, names ...string) error {
	known := s.EndpointNames()
	asked := false
	for _, name := range names {
		if name == "" || slices.Contains(known, name) {
			continue
		}
		if !asked {
			stored, err := s.store.EndpointNames(ctx)
			if err != nil {
				return err
			}
			known, asked = append(known, slices.DeleteFunc(stored, func(n string) bool { return slices.Contains(known, n) })...), true
		}
		if slices.Contains(known, name) {
			continue
		}
		if len(known) == 0 {
			return invalid("there is no endpoint %q: none is configured, and no replay was sent anywhere", name)
		}
		const most = 20
		list := strings.Join(known[:min(len(known), most)], ", ")
		if len(known) > most {
			list += ", …"
		}
		return invalid("there is no endpoint %q; known are %s", name, list)
	}
	return nil
}
