package auth

import (
	"strings"
	"testing"
)

func TestClientFirst(t *testing.T) {
	good := map[string]clientFirst{
		"n,,n=user,r=abc":               {flag: 'n', header: "n,,", bare: "n=user,r=abc", name: "user", nonce: "abc"},
		"y,,n=user,r=abc":               {flag: 'y', header: "y,,", bare: "n=user,r=abc", name: "user", nonce: "abc"},
		"p=tls-exporter,,n=u,r=a":       {flag: 'p', binding: "tls-exporter", header: "p=tls-exporter,,", bare: "n=u,r=a", name: "u", nonce: "a"},
		"n,a=x=3Dy=2Cz,n=u,r=a":         {flag: 'n', authzid: "x=y,z", header: "n,a=x=3Dy=2Cz,", bare: "n=u,r=a", name: "u", nonce: "a"},
		"n,,n=a=2Cb=3D,r=!~=":           {flag: 'n', header: "n,,", bare: "n=a=2Cb=3D,r=!~=", name: "a,b=", nonce: "!~="},
		"n,,n=ж,r=a,x=1,Y=a=b,z=\u00e9": {flag: 'n', header: "n,,", bare: "n=ж,r=a,x=1,Y=a=b,z=\u00e9", name: "ж", nonce: "a"},
	}
	for in, want := range good {
		if got, f := parseClientFirst([]byte(in)); f != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, f)
		}
	}
	bad := []string{
		"", "n", "n,", "n,,", "n,,,", ",,n=u,r=a", "x,,n=u,r=a", "N,,n=u,r=a", "nn,,n=u,r=a", "p,,n=u,r=a", "p=,,n=u,r=a",
		"p=tls_x,,n=u,r=a", "p=tls x,,n=u,r=a", "F,n,,n=u,r=a", " n,,n=u,r=a",
		"n,x,n=u,r=a", "n,a=,n=u,r=a", "n,a=b=,n=u,r=a", "n,a=b=2c,n=u,r=a", "n,A=b,n=u,r=a",
		"n,,n=,r=a", "n,,n=u", "n,,n=u,", "n,,u,r=a", "n,,N=u,r=a", "n,,n=u=,r=a", "n,,n=u=2,r=a", "n,,n=u=20,r=a", "n,,n=u=3d,r=a",
		"n,,r=a,n=u", "n,,n=u,r=", "n,,n=u,R=a", "n,,n=u,r=a b", "n,,n=u,r=a\x7f", "n,,n=u,r=\u00e9", "n,,n=u,r=a\n",
		"n,,n=u,r=a,", "n,,n=u,r=a,x", "n,,n=u,r=a,x=", "n,,n=u,r=a,=b", "n,,n=u,r=a,1=b", "n,,n=u,r=a,xx=b", "n,,n=u,r=a,,x=b",
		"n,,n=u,r=a,r=b", "n,,n=u,r=a,n=v", "n,,n=u,r=a,a=v", "n,,n=u,r=a,p=v", "n,,n=u,r=a,c=v", "n,,n=u,r=a,i=1", "n,,n=u,r=a,s=v",
		"n,,n=u\x00,r=a", "n,,n=u,r=a,x=\x00", "n,,n=\xff,r=a", "n,,n=\xc0\x80,r=a", "n,,n=\xed\xa0\x80,r=a",
	}
	for _, in := range bad {
		if _, f := parseClientFirst([]byte(in)); f == nil || f.Condition != "malformed-request" || f.Credentials {
			t.Errorf("%q: %+v", in, f)
		}
	}
	for _, in := range []string{"n,,m=x,n=u,r=a", "n,,m=,n=u,r=a", "n,,n=u,r=a,m=x", "n,,n=u,r=a,x=1,m=x"} {
		if _, f := parseClientFirst([]byte(in)); f == nil || f.Condition != "not-authorized" || f.Credentials {
			t.Errorf("%q: %+v", in, f)
		}
	}
}

func TestClientFinal(t *testing.T) {
	proof := strings.Repeat("A", 27) + "="
	good := []string{"c=biws,r=abc,p=" + proof, "c=biws,r=abc,x=1,y=a=b,p=" + proof}
	for _, in := range good {
		m, f := parseClientFinal([]byte(in), 20)
		if f != nil || m.binding != "biws" || m.nonce != "abc" || string(m.withoutProof) != strings.TrimSuffix(in, ",p="+proof) {
			t.Errorf("%q: %+v, %v", in, m, f)
		}
	}
	bad := []string{
		"", "p=" + proof, ",p=" + proof, "c=biws,p=" + proof, "c=biws,r=,p=" + proof, "r=abc,c=biws,p=" + proof, "c=biws,r=abc",
		"c=biws,r=abc,p=", "c=biws,r=abc,p=AAAA", "c=biws,r=abc,p=" + proof + ",", "c=biws,r=abc,p=" + proof + ",x=1",
		"c=biws,r=abc,P=" + proof, "C=biws,r=abc,p=" + proof, "c=biw,r=abc,p=" + proof, "c=bi ws,r=abc,p=" + proof, "c=bi\nws,r=abc,p=" + proof,
		"c=biws,r=abc,p=" + strings.Repeat("A", 26) + "B=", // bits left over
		"c=biws,r=abc,p=" + strings.TrimRight(proof, "="), "c=biws,r=abc,p=" + strings.Replace(proof, "A", "-", 1),
		"c=biws,r=abc,x,p=" + proof, "c=biws,r=abc,,p=" + proof, "c=biws,r=abc,r=abc,p=" + proof, "c=biws,r=abc,p=" + proof + ",p=" + proof,
		"c=biws,r=a c,p=" + proof, "c=biws,r=abc\x00,p=" + proof, "c=biws,r=abc,x=\xff,p=" + proof,
	}
	for _, in := range bad {
		if _, f := parseClientFinal([]byte(in), 20); f == nil || f.Condition != "malformed-request" || f.Credentials {
			t.Errorf("%q: %+v", in, f)
		}
	}
	for _, in := range []string{"m=x,c=biws,r=abc,p=" + proof, "c=biws,r=abc,m=x,p=" + proof} {
		if _, f := parseClientFinal([]byte(in), 20); f == nil || f.Condition != "not-authorized" || f.Credentials {
			t.Errorf("%q: %+v", in, f)
		}
	}
}

func TestPlainMessage(t *testing.T) {
	z, c, p, f := parsePlain([]byte("a\x00b\x00c d,="))
	if f != nil || z != "a" || c != "b" || p != "c d,=" {
		t.Errorf("got %q %q, %v", z, c, f)
	}
	bad := []string{"\x00", "\x00\x00", "u", "u\x00p", "\x00u\x00", "\x00\x00p", "z\x00u\x00p\x00", "\x00u\x00p\x00q", "\x00u\x00\xff", "\xff\x00u\x00p"}
	for _, in := range bad {
		if _, _, _, f := parsePlain([]byte(in)); f == nil || f.Condition != "malformed-request" || f.Credentials {
			t.Errorf("%q: %+v", in, f)
		}
	}
}
