package browsers

import "testing"

// TestOnSite compares with what the URL standard's parser of a browser returns.
func TestOnSite(t *testing.T) {
	t.Parallel()
	const origin = "https://shop.example.com"
	for text, want := range map[string]bool{
		"": true, "/": true, "/x?y#z": true, "x": true, "?x": true, "/x//y": true, "https:x": true, "https://shop.example.com": true, "HTTPS://SHOP.example.com/x": true,
		`https:\\shop.example.com\x`: true, "//shop.example.com/x": true, "a/b:c": true, "/x:y": true,
		"//evil.example": false, "///evil.example": false, `/\evil.example`: false, `\\evil.example`: false, "/\t/evil.example": false, " //evil.example": false,
		"https:///evil.example": false, "http://shop.example.com": false, "http:x": false, "https://shop.example.com.evil.example": false,
		"https://shop.example.com@evil.example": false, "https://shop.example.com%40evil.example": false, "https://shop.example.com:8443/": false,
		"javascript:alert(1)": false, "java\tscript:alert(1)": false, "h\nttps://evil.example": false, "data:text/html,x": false,
	} {
		if got := onSite(origin, text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
