package clusterview

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// streams records the watches that a client opens, and in what the API server answers.
type streams struct {
	mu     sync.Mutex
	opened map[string]int    // by resource
	format map[string]string // of the last answer, by resource
}

// recorded is a client whose requests pass a server that records watches. spoil may change a
// request, and returns true if it has answered it.
func recorded(t *testing.T, c *testcluster.Cluster, spoil func(http.ResponseWriter, *http.Request) bool) (*apiclient.Client, *streams) {
	t.Helper()
	transport, err := rest.TransportFor(c.Client().Config)
	require.NoError(t, err)
	server, err := url.Parse(c.URL())
	require.NoError(t, err)
	s := &streams{opened: map[string]int{}, format: map[string]string{}}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server) }, Transport: transport, FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			kind := path.Base(r.Request.URL.Path)
			if r.Request.URL.Query().Get("watch") != "" {
				s.opened[kind]++
			}
			s.format[kind] = strings.TrimPrefix(r.Header.Get("Content-Type"), "application/")
			return nil
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if spoil == nil || !spoil(w, r) {
			reverse.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	client, err := apiclient.FromConfig(&rest.Config{Host: front.URL}, "default", apiclient.Options{})
	require.NoError(t, err)
	return client, s
}

func (s *streams) formatOf(resource string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	format, _, _ := strings.Cut(s.format[resource], ";")
	return format
}

func (s *streams) count() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.opened)
}

// Built-in kinds are followed in protobuf where the API server has it, and in JSON otherwise,
// with the same result.
func TestBuiltInKindsAreFollowedInProtobuf(t *testing.T) {
	c := testcluster.Shared(t)
	c.Apply(t, definition("formats.example.com", "Format", "{scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}"))
	const protobuf, json = "vnd.kubernetes.protobuf", "json"
	for name, given := range map[string]struct {
		builtIn string
		spoil   func(http.ResponseWriter, *http.Request) bool
	}{
		"an API server of today": {protobuf, nil},
		"without streamed lists": {protobuf, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("sendInitialEvents") != "" {
				refuse(w, http.StatusUnprocessableEntity, "Invalid")
				return true
			}
			return false
		}},
		"that has no protobuf": {json, func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.Header.Get("Accept"), protobuf) {
				r.Header.Set("Accept", "application/json")
			}
			return false
		}},
		"that refuses protobuf": {json, func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.Header.Get("Accept"), protobuf) {
				refuse(w, http.StatusNotAcceptable, "NotAcceptable")
				return true
			}
			return false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			c.Apply(t, web(ns, "a", 2, "part: formats")+"---\napiVersion: formats.example.com/v1\nkind: Format\nmetadata: {name: x, namespace: "+ns+"}\nspec: {replicas: 3}\n")
			client, seen := recorded(t, c, given.spoil)
			v := testView(t, Options{Client: client})
			fleet, custom := testFleet(t, v, deploymentsIn(ns, nil)), testFleet(t, v, engine.Selector{APIVersion: "formats.example.com/v1", Kind: "Format", Namespace: ns})
			soon(t, "the pods are there", func() bool {
				w, _ := v.Workload(engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"})
				return len(targetsOf(t, fleet)) == 1 && len(w.Pods) == 2
			})
			require.Equal(t, "digits/3", targetsOf(t, fleet)[0].Model)
			changes := watched(t, v, engine.WatchSpec{Selector: deploymentsIn(ns, nil), Field: "spec.replicas"})
			c.Patch(t, deploymentsResource, ns, "a", `{"spec": {"replicas": 3}}`)
			require.Equal(t, engine.ObjectChange{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns, Name: "a", Type: "changed", From: 2.0, To: 3.0}, changes.next(t, 1)[0])
			soon(t, "the change is seen", func() bool {
				scale, _ := v.Scalable(engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"})
				return scale.Desired == 3 && slices.ContainsFunc(scale.ReplicaOwners, func(m FieldManager) bool { return m.Manager != "" })
			})
			require.Len(t, targetsOf(t, custom), 1)
			require.Equal(t, given.builtIn, seen.formatOf("deployments"))
			require.Equal(t, given.builtIn, seen.formatOf("pods"))
			require.Equal(t, json, seen.formatOf("formats"))
		})
	}
}

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused by the test", "reason": "` + reason + `", "code": ` + strconv.Itoa(code) + `}`))
}

// A field that a newer API server may send is read from JSON, and so is the content of a
// field that it may extend.
func TestFieldsThatAGoTypeMayLackAreReadFromJSON(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 2, "part: formats"))
	for field, want := range map[string]string{
		"spec.replicas": "vnd.kubernetes.protobuf",
		"spec.template.spec.containers[0].resources.limits.cpu": "vnd.kubernetes.protobuf",
		"spec.strategy.rollingUpdate.maxSurge":                  "vnd.kubernetes.protobuf",
		"metadata.annotations['scanflow.dev/note']":             "vnd.kubernetes.protobuf",
		"metadata.labels":               "vnd.kubernetes.protobuf",
		"metadata.creationTimestamp":    "vnd.kubernetes.protobuf",
		"spec.template.spec.containers": "json",
		"spec.template":                 "json",
		"status.conditions[0]":          "json",
		"spec.fieldOfTomorrow":          "json",
		"metadata.managedFields[0].fieldsV1['f:spec']['f:replicas']": "json",
		"kind": "json",
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			client, seen := recorded(t, c, nil)
			v := testView(t, Options{Client: client})
			read, release, err := v.Objects("apps/v1", "Deployment", nil, field)
			require.NoError(t, err)
			defer release()
			objects := 0
			require.NoError(t, read(testContext(t), ns, func(string, string, map[string]string, time.Time, any, bool) { objects++ }))
			require.Equal(t, 1, objects)
			require.Equal(t, want, seen.formatOf("deployments"))
		})
	}
}

// A fleet that is released and used again at once, as at an edit of its agent, opens no
// watch. One that is not used again ends.
func TestAnInformerOutlivesItsLastUserForAMoment(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 1, "part: linger"))
	client, seen := recorded(t, c, nil)
	clock := engine.NewManualClock(time.Now())
	v := testView(t, Options{Client: client, Clock: clock})
	f := testFleet(t, v, deploymentsIn(ns, nil)).(*Fleet)
	require.Len(t, targetsOf(t, f), 1)
	id := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"}
	_, _, err := v.AutoscalerOf(testContext(t), id)
	require.NoError(t, err)
	before := seen.count()
	f.Release()
	_, known := v.Workload(id)
	require.False(t, known, "nobody follows it")
	clock.Advance(lingerFor - time.Second)
	require.Len(t, targetsOf(t, f), 1)
	clock.Advance(lingerFor)
	_, known = v.Workload(id)
	require.True(t, known)
	require.Equal(t, before, seen.count())

	f.Release()
	soon(t, "all informers end", func() bool {
		clock.Advance(lingerFor)
		v.mu.RLock()
		defer v.mu.RUnlock()
		return len(v.informers) == 0
	})
	require.Len(t, targetsOf(t, f), 1)
	f.Release()
	require.NoError(t, v.Close(testContext(t)), "it ends without a wait")
}
