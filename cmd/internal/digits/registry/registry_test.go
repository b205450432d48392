package registry

import (
	"context"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// connected returns a client of a real tracker that the environment names.
func connected(t *testing.T) *mlflow.Client {
	tr, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	c, err := Connect(func(name string) string { return map[string]string{URIVariable: web.URL}[name] })
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		web.Close()
		require.NoError(t, tr.Close())
	})
	return c
}

func model(t *testing.T, seed uint64) *digits.Model {
	r, err := digits.NewRenderer(digits.DefaultStyle())
	require.NoError(t, err)
	m, err := digits.Train(t.Context(), r.Dataset(100, 20, seed), digits.TrainOptions{Hidden: 8, Epochs: 1, Seed: seed})
	require.NoError(t, err)
	return m
}

func TestAModelComesBackByItsAddress(t *testing.T) {
	c := connected(t)
	ctx := t.Context()
	id, err := c.EnsureExperiment(ctx, "e")
	require.NoError(t, err)
	models := map[string]*digits.Model{}
	for i, number := range []string{"1", "2"} {
		run, err := c.CreateRun(ctx, id, "training", nil, time.Now())
		require.NoError(t, err)
		models[number] = model(t, uint64(i))
		v, err := Register(ctx, c, "digits", run.ID, models[number], map[string]string{"round": number})
		require.NoError(t, err)
		require.Equal(t, number, v.Version)
		require.Equal(t, "runs:/"+run.ID+"/model", v.Source)
		require.Equal(t, number, v.Tags["round"])
		list, err := c.ListArtifacts(ctx, run.ID, "model")
		require.NoError(t, err)
		require.Equal(t, "model/model.digits", list[0].Path)
	}
	require.NoError(t, c.SetAlias(ctx, "digits", "production", "1"))
	for uri, number := range map[string]string{"models:/digits/1": "1", "models:/digits/2": "2", "models:/digits@production": "1"} {
		v, err := Find(ctx, c, uri)
		require.NoError(t, err)
		require.Equal(t, number, v.Version)
		m, err := Load(ctx, c, v)
		require.NoError(t, err)
		require.Equal(t, models[number], m)
	}
	for _, uri := range []string{"models:/digits/3", "models:/digits@nobody", "models:/others/1"} {
		_, err := Find(ctx, c, uri)
		require.ErrorIs(t, err, mlflow.ErrNotFound)
		require.ErrorContains(t, err, uri)
	}
}

func TestAddressesThatNameNoVersion(t *testing.T) {
	for _, uri := range []string{"", "model.digits", "models:/", "models:/digits", "models:/digits/", "models:/digits@", "models:/@production", "models://1", "models:/a/1/2", "models:/a@b@c", "models:/a/b@c", "runs:/1/model"} {
		_, err := Find(t.Context(), nil, uri)
		require.ErrorIs(t, err, ErrURI, uri)
		require.ErrorContains(t, err, "models:/NAME/VERSION or models:/NAME@ALIAS")
	}
	require.True(t, IsURI("models:/a/1"))
	require.False(t, IsURI("models/a"))
}

func TestVersionsThatHoldNoModelOfOurs(t *testing.T) {
	c := connected(t)
	ctx := t.Context()
	id, err := c.EnsureExperiment(ctx, "e")
	require.NoError(t, err)
	run, err := c.CreateRun(ctx, id, "training", nil, time.Now())
	require.NoError(t, err)
	require.NoError(t, c.UploadArtifact(ctx, run.ID, "other/model.digits", strings.NewReader("a picture of a horse")))
	require.NoError(t, c.EnsureModel(ctx, "m"))
	for source, want := range map[string]string{
		"s3://bucket/model":          `its source is "s3://bucket/model"`,
		"runs:/" + run.ID:            "its source is",
		"runs:/" + run.ID + "/no":    "answered 404",
		"runs:/" + run.ID + "/other": "not a usable model file",
	} {
		v, err := c.CreateVersion(ctx, "m", source, run.ID, nil)
		require.NoError(t, err)
		_, err = Load(ctx, c, v)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "load m version "+v.Version)
	}
}

func TestCredentialsOfTheEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"none":             {nil, ""},
		"a token":          {map[string]string{tokenVariable: "t0ken"}, "Bearer t0ken"},
		"a user":           {map[string]string{userVariable: "u", passwordVariable: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))},
		"both":             {map[string]string{tokenVariable: "t0ken", userVariable: "u"}, "Bearer t0ken"},
		"a password alone": {map[string]string{passwordVariable: "p"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			header, err := authorization(func(name string) string { return c.env[name] })(context.Background())
			require.NoError(t, err)
			require.Equal(t, c.want, header)
		})
	}
	_, err := Connect(func(string) string { return "" })
	require.ErrorContains(t, err, "MLFLOW_TRACKING_URI is not set")
	_, err = Connect(func(string) string { return "sqlite:///x" })
	require.ErrorContains(t, err, "MLFLOW_TRACKING_URI: the tracker's address must begin with http")
}
