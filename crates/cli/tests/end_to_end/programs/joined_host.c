int open_module(const char *kind, const char *name);

const char *volatile kind = "kind";

int main(int count, char **arguments) { return open_module(kind, arguments[count - 1]); }
