package embedded_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quorate/quorate/embedded"
)

// start starts a cluster that ends with the test.
func start(t testing.TB, config embedded.Config) *embedded.Cluster {
	t.Helper()
	c, err := embedded.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t testing.TB, c *embedded.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// call posts a request to the JSON gateway.
func call(ctx context.Context, client *http.Client, url, body string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", res.Status, b)
	}
	var out map[string]any
	return out, json.Unmarshal(b, &out)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func put(t testing.TB, endpoint, key, value string) {
	t.Helper()
	if err := tryPut(t, endpoint, key, value); err != nil {
		t.Fatalf("put %q at %s: %v", key, endpoint, err)
	}
}

// putInTime puts where the leader may have gone a moment ago: etcd refuses what
// it proposed to that one.
func putInTime(t testing.TB, endpoint, key, value string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for err := tryPut(t, endpoint, key, value); err != nil; err = tryPut(t, endpoint, key, value) {
		if time.Now().After(deadline) {
			t.Fatalf("put %q at %s: %v", key, endpoint, err)
		}
	}
}

func tryPut(t testing.TB, endpoint, key, value string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	body := fmt.Sprintf(`{"key":%q,"value":%q}`, b64(key), b64(value))
	_, err := call(ctx, http.DefaultClient, endpoint+"/v3/kv/put", body)
	return err
}

func get(t testing.TB, endpoint, key string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reply, err := call(ctx, http.DefaultClient, endpoint+"/v3/kv/range", fmt.Sprintf(`{"key":%q}`, b64(key)))
	if err != nil {
		t.Fatalf("get %q at %s: %v", key, endpoint, err)
	}
	kvs, _ := reply["kvs"].([]any)
	if len(kvs) == 0 {
		return ""
	}
	value, err := base64.StdEncoding.DecodeString(kvs[0].(map[string]any)["value"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}
