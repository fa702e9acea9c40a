package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/config"
)

func TestCheckNamesWhatDoesNotGoTogether(t *testing.T) {
	dir := t.TempDir()
	keys, none, wrong := filepath.Join(dir, "keys"), filepath.Join(dir, "none"), filepath.Join(dir, "wrong")
	for path, content := range map[string]string{
		keys: "keys: [{id: alice, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}]\n", none: "", wrong: "alice: secret\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		flags map[string]string
		want  string // "" when all is well
	}{
		{"defaults", nil, ""},
		{"open door", map[string]string{"listen": "0.0.0.0:8080"}, "listen: refusing to listen on 0.0.0.0:8080 without a key"},
		{"open door on every interface", map[string]string{"listen": ":8080"}, "without a key"},
		{"open admin door", map[string]string{"admin-listen": "10.1.2.3:1"}, "admin_listen: refusing to listen on 10.1.2.3:1 without a key"},
		{"open door with keys", map[string]string{"listen": "0.0.0.0:8080", "auth-keys-file": keys}, ""},
		{"IPv6 loopback", map[string]string{"listen": "[::1]:8080"}, ""},
		{"same port", map[string]string{"listen": "127.0.0.1:8082"}, "listen and admin_listen are both 127.0.0.1:8082"},
		{"free ports", map[string]string{"listen": "127.0.0.1:0"}, ""},
		{"half TLS", map[string]string{"tls-cert": "c.pem"}, "tls.cert is set and tls.key is not"},
		{"other half", map[string]string{"tls-key": "k.pem"}, "tls.key is set and tls.cert is not"},
		{"TLS files", map[string]string{"tls-cert": keys, "tls-key": keys}, "tls.cert and tls.key cannot be used"},
		{"keys file", map[string]string{"auth-keys-file": keys + "x"}, "auth.keys_file cannot be read"},
		{"no key in the keys file", map[string]string{"auth-keys-file": none}, "there is no key in it"},
		{"no keys file at all", map[string]string{"auth-keys-file": wrong}, "field alice not found"},
		{"library", map[string]string{"onnxruntime-library": keys + "x"}, "onnxruntime_library cannot be read"},
		{"picture above request", map[string]string{"limits-picture-bytes": "200MB"}, "limits.picture_bytes (200MB) is above limits.request_bytes (100MB)"},
		{"budget too small", map[string]string{"memory-pictures": "100MB"}, "at least 438MB"},
		{"budget just too small", map[string]string{"memory-pictures": "437MB"}, "at least 438MB"},
		{"budget just enough", map[string]string{"memory-pictures": "438MB"}, ""},
		{"models", map[string]string{"models": dir}, ""},
		{"models by URL", map[string]string{"models": "file://" + dir}, ""},
		{"models in a bucket", map[string]string{"models": "s3://bucket/models"}, "models.repository: s3:// comes with a later release"},
		{"models on another machine", map[string]string{"models": "file://host/models"}, "is no directory and no file:// URL"},
		{"models by another way", map[string]string{"models": "ftp://host/models"}, "is no directory and no file:// URL"},
		{"models nowhere", map[string]string{"models": keys + "x"}, "models.repository cannot be read"},
		{"models in a file", map[string]string{"models": keys}, "is no directory"},
		{"server", map[string]string{"server": "localhost:8080"}, `client.server: "localhost:8080" is no URL`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := load(t, config.Sources{Environ: []string{"HOME=/h"}, Flags: c.flags}).Check(config.Everywhere)
			if (err == nil) != (c.want == "") || !strings.Contains(fmt.Sprint(err), c.want) && c.want != "" {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
	if err := load(t, config.Sources{}).Check(config.Everywhere); err == nil || !strings.Contains(err.Error(), "--data DIR") {
		t.Errorf("without a home: %v; want a hint to name a directory", err)
	}
}

func TestCheckLeavesOtherCommandsAlone(t *testing.T) {
	c := load(t, config.Sources{Environ: []string{"HOME=/h"}, Flags: map[string]string{"listen": "0.0.0.0:1", "server": "nonsense"}})
	if err := c.Check(config.Models); err != nil {
		t.Errorf("models ls stumbles over a server's settings: %v", err)
	}
	if err := c.Check(config.Predict); err == nil || strings.Contains(err.Error(), "0.0.0.0") {
		t.Errorf("predict: %v; want the client's mistake and not the door's", err)
	}
}

func TestAdviceWithoutTLS(t *testing.T) {
	open := map[string]string{"listen": "0.0.0.0:1", "auth-keys-file": "keys"}
	c := load(t, config.Sources{Flags: open})
	if a := c.Advice(); len(a) != 1 || !strings.Contains(a[0], "listen: listening on 0.0.0.0:1 without TLS") {
		t.Errorf("advice %q; want one warning that keys travel readably", a)
	}
	if a := load(t, config.Sources{}).Advice(); len(a) != 0 {
		t.Errorf("advice %q on loopback; want none", a)
	}
}

// TestSecretsAreElided marshals a whole Config every way there is.
func TestSecretsAreElided(t *testing.T) {
	const hush = "correct-horse-battery"
	c := load(t, config.Sources{Environ: []string{"GOSHAWK_CLIENT_KEY=" + hush}})
	key, err := c.ClientKey()
	if err != nil || key.Reveal() != hush {
		t.Fatalf("ClientKey = %q, %v; the one who sends it needs it", key.Reveal(), err)
	}
	doc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(doc), fmt.Sprint(c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", *c), fmt.Sprint(c.Rows())} {
		if strings.Contains(shown, hush) {
			t.Errorf("the key is shown: %s", shown)
		}
	}
	for _, r := range c.Rows() {
		if r.Key == "client.key" && (r.Value != "<secret>" || r.Origin != "GOSHAWK_CLIENT_KEY") {
			t.Errorf("row %+v; want <secret>, and where it came from", r)
		}
	}
}

func TestClientKeyFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	from := func(content string) (config.Secret, error) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return load(t, config.Sources{Flags: map[string]string{"key-file": path}}).ClientKey()
	}
	if key, err := from("abc123\n"); err != nil || key.Reveal() != "abc123" {
		t.Errorf("got %q, %v; want the key without its line end", key.Reveal(), err)
	}
	for _, bad := range []string{"", "\n", "two words", "line\nline", "bell\a"} {
		if _, err := from(bad); err == nil || !strings.Contains(err.Error(), "holds no key") {
			t.Errorf("file %q: %v; want a refusal, or it ends in a header", bad, err)
		}
	}
}

func TestReferenceNamesEveryOption(t *testing.T) {
	var b strings.Builder
	if err := config.WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	for _, o := range config.Options() {
		if !strings.Contains(b.String(), "| `"+o.Key+"` |") || !strings.Contains(b.String(), "`"+o.Env()+"`") {
			t.Errorf("the reference does not name %s with its variable", o.Key)
		}
	}
}

// TestTheFileOfTheReference: the page's example is a configuration.
func TestTheFileOfTheReference(t *testing.T) {
	var page strings.Builder
	if err := config.WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(page.String(), "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, config.Sources{File: path})
	if c.Listen != "127.0.0.1:9000" || c.Limits.PictureBytes != 10_000_000 || len(c.AllowedHosts) != 1 {
		t.Errorf("the example sets listen %s, picture_bytes %s, allowed_hosts %v", c.Listen, c.Limits.PictureBytes, c.AllowedHosts)
	}
}

func TestTheKeyOfRemoteServers(t *testing.T) {
	const hush = "hush-hush-42"
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(hush+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []config.Sources{
		{Environ: []string{"GOSHAWK_BACKENDS_REMOTE_KEY=" + hush}},
		{Flags: map[string]string{"backends-remote-key-file": path}},
	} {
		c := load(t, from)
		if key, err := c.RemoteKey(); err != nil || key.Reveal() != hush {
			t.Errorf("%+v: the key is %q (%v)", from, key.Reveal(), err)
		}
		if text := fmt.Sprintf("%+v %v", *c, c.Rows()); strings.Contains(text, hush) {
			t.Errorf("the key is shown: %s", text)
		}
	}
	err := load(t, config.Sources{Environ: []string{"GOSHAWK_BACKENDS_REMOTE_KEY=" + hush, "HOME=/h"}, Flags: map[string]string{"backends-remote-key-file": path}}).Check(config.Models)
	if err == nil || !strings.Contains(err.Error(), "both set") || strings.Contains(err.Error(), hush) {
		t.Errorf("both: %v; want a refusal that does not show the key", err)
	}
}
