package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// clientFolder is the npm package wxgate-client.
const clientFolder = moduleRoot + "/client"

// secondApp is another mini program of the same company.
var secondApp = wechatsim.App{ID: "wx0000000000000003", Secret: wechatsim.DefaultApp.Secret}

// TestClientPackage runs the tests of the npm package in Node. They start gateways, which
// log users in at this test's simulator, and break what is between them and the client.
func TestClientPackage(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("needs node: %v", err)
	}
	apps := append([]wechatsim.App{wechatsim.DefaultApp, secondApp}, wechatsim.Siblings()...)
	sim, err := simserver.Start(t.Context(), wechatsim.Config{Apps: apps})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	douyin := appOn(t, wechatsim.Douyin)
	env := []string{
		"SIM_API=" + sim.URL, "SIM_MANAGEMENT=" + sim.ManagementURL,
		"WX_APPID=" + wechatsim.DefaultApp.ID, "WX_SECRET=" + wechatsim.DefaultApp.Secret, "WX_APPID_2=" + secondApp.ID,
		"TT_APPID=" + douyin.ID, "TT_SECRET=" + douyin.Secret,
	}
	files, err := filepath.Glob(clientFolder + "/test/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			// Each test in Node may take as long as anything here; the process then ends.
			timeout := "--test-timeout=" + strconv.FormatInt(patience.Milliseconds(), 10)
			tests := startProcess(t, clientFolder, env, node, "--test", "--test-reporter=spec", timeout, "test/"+filepath.Base(file))
			<-tests.done
			if tests.err != nil {
				t.Error(tests.err)
			}
		})
	}
}

// appOn returns the simulator's app on a platform.
func appOn(t *testing.T, platform wechatsim.Platform) wechatsim.App {
	t.Helper()
	for _, app := range wechatsim.Siblings() {
		if app.Platform == platform {
			return app
		}
	}
	t.Fatalf("the simulator has no app on %s", platform)
	return wechatsim.App{}
}
