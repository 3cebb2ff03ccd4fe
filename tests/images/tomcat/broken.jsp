<% if (true) throw new IllegalStateException("meant to fail"); %>
