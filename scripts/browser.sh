# Finds a headless browser. Other scripts source this file. CHROMIUM sets the browser's path.

# Prints the browser's path, or nothing.
find_browser() {
    if [[ -n ${CHROMIUM:-} ]]; then
        [[ -f $CHROMIUM && -x $CHROMIUM ]] && printf '%s\n' "$CHROMIUM"
        return 0
    fi
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return 0
    done
    return 0
}
