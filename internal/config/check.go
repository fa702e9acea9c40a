package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Check finds what is wrong although every single value is well formed, as far
// as it concerns the commands of scope. It names everything at once and touches
// nothing but the files that are named.
func (c *Config) Check(scope Scope) error {
	errs := []error{c.checkFiles(), c.checkBackends()}
	if scope&Serve != 0 {
		errs = append(errs, c.checkDoors(), c.checkKeys(), c.checkTLS(), c.checkModels())
	}
	if scope&(Serve|Predict) != 0 {
		errs = append(errs, c.checkSizes())
	}
	if scope&Predict != 0 {
		errs = append(errs, c.checkClient())
	}
	return errors.Join(errs...)
}

// door is an address that the server listens on.
type door struct{ key, addr string }

func (c *Config) doors() []door {
	all := []door{{"listen", c.Listen}, {"grpc_listen", c.GRPCListen}, {"admin_listen", c.AdminListen}}
	return slices.DeleteFunc(all, func(d door) bool { return d.addr == Off })
}

func (c *Config) checkDoors() error {
	taken := map[string]string{}
	var errs []error
	for _, d := range c.doors() {
		if other := taken[d.addr]; other != "" && !strings.HasSuffix(d.addr, ":0") {
			errs = append(errs, fmt.Errorf("%s and %s are both %s; give them different ports", other, d.key, d.addr))
		}
		taken[d.addr] = d.key
		if _, err := access.CheckListen(d.addr, c.Auth.KeysFile != "", c.TLS.Cert != ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.key, err))
		}
	}
	return errors.Join(errs...)
}

// checkKeys reads the keys as serve will; that the file can be opened says checkFiles.
func (c *Config) checkKeys() error {
	if c.Auth.KeysFile == "" {
		return nil
	}
	_, err := access.LoadKeys(c.Auth.KeysFile)
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Op == "open" {
		return nil
	}
	return err
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLS.Cert == "" && c.TLS.Key == "":
		return nil
	case c.TLS.Key == "":
		return errors.New("tls.cert is set and tls.key is not; TLS needs both")
	case c.TLS.Cert == "":
		return errors.New("tls.key is set and tls.cert is not; TLS needs both")
	}
	if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
		return fmt.Errorf("tls.cert and tls.key cannot be used: %w", err)
	}
	return nil
}

// reason is a system error without the operation and the path, which the
// sentence around it has already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// checkSizes keeps out limits that no request could ever meet: a budget must
// hold the largest request and the largest picture decoded from it. It is parted
// as these two are to each other, and a form of many pictures leaves up to half
// of its size idle between them.
func (c *Config) checkSizes() error {
	var errs []error
	if c.Limits.PictureBytes > c.Limits.RequestBytes {
		errs = append(errs, fmt.Errorf("limits.picture_bytes (%s) is above limits.request_bytes (%s), so such a picture could never arrive",
			c.Limits.PictureBytes, c.Limits.RequestBytes))
	}
	least := c.Limits.RequestBytes + c.Limits.DecodedBytes
	if least += least / 2; c.Memory.Pictures < least {
		errs = append(errs, fmt.Errorf("memory.pictures (%s) must hold one largest request and one decoded picture with room to spare: at least %s (1.5 times limits.request_bytes + limits.decoded_bytes)",
			c.Memory.Pictures, least))
	}
	return errors.Join(errs...)
}

func (c *Config) checkFiles() error {
	var errs []error
	for _, f := range []struct{ key, path string }{
		{"auth.keys_file", c.Auth.KeysFile},
		{"onnxruntime_library", c.ONNXRuntimeLibrary},
		{"client.key_file", c.Client.KeyFile},
		{"backends.remote_key_file", c.Backends.RemoteKeyFile},
	} {
		if f.path == "" {
			continue
		}
		if file, err := os.Open(f.path); err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be read: %s: %w", f.key, wording.Quote(f.path), reason(err)))
		} else {
			file.Close()
		}
	}
	if c.Data == "" {
		errs = append(errs, errors.New("there is no home directory to keep data in (say where with --data DIR, or set HOME)"))
	}
	return errors.Join(errs...)
}

func (c *Config) checkBackends() error {
	if c.Backends.RemoteKey != "" && c.Backends.RemoteKeyFile != "" {
		return errors.New("backends.remote_key and backends.remote_key_file are both set; one of them must go")
	}
	return nil
}

func (c *Config) checkClient() error {
	if c.Client.Key != "" && c.Client.KeyFile != "" {
		return errors.New("client.key and client.key_file are both set; one of them must go")
	}
	if c.Client.Server == "" {
		return nil
	}
	u, err := url.Parse(c.Client.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("client.server: %s is no URL (write it as http://127.0.0.1:8080)", wording.Quote(c.Client.Server))
	}
	return nil
}

// RepositoryDir is the directory of the model repository.
func (c *Config) RepositoryDir() (string, error) {
	repository := c.Models.Repository
	scheme, _, isURL := strings.Cut(repository, "://")
	if !isURL {
		return repository, nil
	}
	if scheme == "s3" {
		return "", errors.New("models.repository: s3:// comes with a later release; name a directory or a file:// URL")
	}
	u, err := url.Parse(repository)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("models.repository: %s is no directory and no file:// URL (write it as file:///srv/models)", wording.Quote(repository))
	}
	return u.Path, nil
}

func (c *Config) checkModels() error {
	if c.Models.Repository == "" {
		return nil
	}
	dir, err := c.RepositoryDir()
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("models.repository cannot be read: %s: %w", wording.Quote(dir), reason(err))
	case !info.IsDir():
		return fmt.Errorf("models.repository: %s is no directory", wording.Quote(dir))
	}
	return nil
}

// maxKey bounds what is read of a key file: a key is some dozen characters.
const maxKey = 4096

// ClientKey is the key to send to a server, from whichever place holds it; "" when there is none.
func (c *Config) ClientKey() (Secret, error) { return key(c.Client.Key, c.Client.KeyFile) }

// RemoteKey is ClientKey for the servers of other people's models.
func (c *Config) RemoteKey() (Secret, error) {
	return key(c.Backends.RemoteKey, c.Backends.RemoteKeyFile)
}

func key(here Secret, file string) (Secret, error) {
	if file == "" {
		return here, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return "", fmt.Errorf("cannot read the key: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no key: one line of printable characters is wanted", file)
	}
	return Secret(text), nil
}

// Advice is what deserves a warning although it is allowed: Warnings, and what
// the doors would warn of when they open.
func (c *Config) Advice() []string {
	advice := slices.Clone(c.Warnings())
	for _, d := range c.doors() {
		if warning, _ := access.CheckListen(d.addr, c.Auth.KeysFile != "", c.TLS.Cert != ""); warning != "" {
			advice = append(advice, d.key+": "+warning)
		}
	}
	return advice
}
