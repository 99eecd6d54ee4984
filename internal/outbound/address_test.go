package outbound

import (
	"net/netip"
	"testing"
)

// TestCheckAddress verifies which addresses deliveries may be sent to.
func TestCheckAddress(t *testing.T) {
	for _, addr := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "10.1.2.3", "172.16.0.1",
		"172.31.255.255", "192.168.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "168.63.129.16",
		"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::2", "fc00::1",
		"fdff::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fe80::a9fe:a9fe%2", "fec0::1", "ff02::1", "ff0e::1",
		"100::1", "2001:db8::1", "2001:20::1", "3fff::1", "5f00::1", "4000::1",
	} {
		if checkPublic(netip.MustParseAddr(addr), "x") == nil {
			t.Errorf("%s was allowed", addr)
		}
	}
	for _, addr := range []string{"8.8.8.8", "100.63.255.255", "100.128.0.0", "168.63.129.15", "172.15.0.1",
		"172.32.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:4860:4860::8888",
		"2606:4700::1111", "2001:200::1", "3ffe::1"} {
		if err := checkPublic(netip.MustParseAddr(addr), "x"); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckAddressWithin verifies that an IPv6 address that embeds an IPv4 address is judged by that one.
func TestCheckAddressWithin(t *testing.T) {
	for _, addr := range []string{
		// mapped
		"::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:127.0.0.1%eth0",
		"::127.0.0.1",                                                                    // compatible
		"64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b::a00:1%1", // NAT64
		"64:ff9b:1::8.8.8.8",                                    // NAT64 with a local prefix
		"2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1", // 6to4
		"2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::5ef5:79fd", // Teredo
	} {
		if checkPublic(netip.MustParseAddr(addr), "x") == nil {
			t.Errorf("%s was allowed", addr)
		}
	}
	for _, addr := range []string{"::ffff:8.8.8.8", "64:ff9b::8.8.8.8"} {
		if err := checkPublic(netip.MustParseAddr(addr), "x"); err != nil {
			t.Error(err)
		}
	}
}

func TestForbiddenAddressNamesTheSetting(t *testing.T) {
	err := checkPublic(netip.MustParseAddr("fd00:ec2::254"), "allow_private of the endpoint crm")
	const want = "fd00:ec2::254 is not on the public internet; allow_private of the endpoint crm in the " +
		"configuration allows it"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
	if _, err := effectiveAddr("localhost:80"); err == nil {
		t.Error("a name was accepted as an address")
	}
}
