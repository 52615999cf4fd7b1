package caddymodule_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// openid returns the user of a call; docs/recipes.md has this function.
func openid(ctx context.Context) string {
	values := metadata.ValueFromIncomingContext(ctx, "x-wx-openid")
	if len(values) != 1 {
		return "" // not behind wxgate, or an anonymous request
	}
	return values[0]
}

// grpcService responds to unary calls and in streams with the user of the call.
type grpcService struct {
	testgrpc.UnimplementedTestServiceServer

	ended chan error // the error of the context of each stream that has ended
}

func (*grpcService) UnaryCall(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Username: openid(ctx)}, nil
}

func (s *grpcService) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			s.ended <- stream.Context().Err()
			return nil //nolint:nilerr // the client has closed its side
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: &testgrpc.Payload{Body: []byte(openid(stream.Context()))}}); err != nil {
			return err
		}
	}
}

// startGRPC starts a gRPC server with the service and a health check.
func startGRPC(t *testing.T) (s *grpcService, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &grpcService{ended: make(chan error, 1)}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, s)
	healthgrpc.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return s, listener.Addr().String()
}

// newGRPCFixture runs the recipe in front of the server and connects a gRPC client.
func newGRPCFixture(t *testing.T) (*fixture, *grpcService, *grpc.ClientConn) {
	t.Helper()
	service, addr := startGRPC(t)
	const path = "/shop.Orders/Pay"
	config := guideCaddyfile(t, recipesPage, "## gRPC")
	if strings.Count(config, path) != 1 {
		t.Fatalf("the recipe has no %s", path)
	}
	f := newFixture(t, strings.NewReplacer("{{.Upstream}}", addr, path, "/grpc.testing.TestService/EmptyCall").Replace(config))
	conn, err := grpc.NewClient(f.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return f, service, conn
}

// asUser adds an access token and forged identity headers to a call.
func asUser(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token, "x-wx-openid", "victim", "x_wx_openid", "victim", "x-wx-source", "victim")
}

// TestRecipeGRPC makes unary calls and a stream in both directions through the Caddyfile
// of docs/recipes.md, with the real client and server.
func TestRecipeGRPC(t *testing.T) {
	if code := guideBlock(t, recipesPage, "## gRPC", "go"); !strings.Contains(readSource(t, "grpc_test.go"), code) {
		t.Errorf("the code in docs/recipes.md differs from the tested code:\n%s", code)
	}
	f, service, conn := newGRPCFixture(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	login := f.login("alice")
	alice, client := asUser(ctx, login.str(t, "access_token")), testgrpc.NewTestServiceClient(conn)

	response, err := client.UnaryCall(alice, new(testgrpc.SimpleRequest))
	if err != nil || response.GetUsername() != login.str(t, "openId") {
		t.Errorf("unary: %v, %v", response, err)
	}
	for name, test := range map[string]struct {
		call func() error
		want codes.Code
	}{
		"no token":    {func() error { _, err := client.UnaryCall(ctx, new(testgrpc.SimpleRequest)); return err }, codes.Unauthenticated},
		"a bad token": {func() error { _, err := client.UnaryCall(asUser(ctx, "x"), new(testgrpc.SimpleRequest)); return err }, codes.Unauthenticated},
		"no phone":    {func() error { _, err := client.EmptyCall(alice, new(testgrpc.Empty)); return err }, codes.PermissionDenied},
		"a public call": {func() error {
			_, err := healthgrpc.NewHealthClient(conn).Check(ctx, new(healthgrpc.HealthCheckRequest))
			return err
		}, codes.OK},
		"an unimplemented call": {func() error { _, err := client.CacheableUnaryCall(alice, new(testgrpc.SimpleRequest)); return err }, codes.Unimplemented},
	} {
		if err := test.call(); status.Code(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}

	stream, err := client.FullDuplexCall(alice)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each response before the next request
		if err := stream.Send(new(testgrpc.StreamingOutputCallRequest)); err != nil {
			t.Fatal(err)
		}
		message, err := stream.Recv()
		if err != nil || string(message.GetPayload().GetBody()) != login.str(t, "openId") {
			t.Fatalf("stream: %v, %v", message, err)
		}
	}
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusNoContent, "")
	if _, err := stream.Recv(); err == nil || ctx.Err() != nil {
		t.Errorf("after the logout: %v, %v", err, ctx.Err())
	}
	select {
	case err := <-service.ended:
		if err == nil {
			t.Error("the service's stream ended as if the client had closed it")
		}
	case <-ctx.Done():
		t.Error("the service's stream did not end")
	}
}
