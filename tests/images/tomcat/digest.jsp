<%@ page contentType="text/plain" import="java.security.*,java.nio.file.*,java.net.*" %><%
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    out.println(digest.digest(Files.readAllBytes(Path.of(application.getRealPath("/index.jsp")))).length);
    out.println(InetAddress.getByName("localhost").isLoopbackAddress());
    Process process = new ProcessBuilder("/bin/echo", "from another program").start();
    out.print(new String(process.getInputStream().readAllBytes()));
    out.println(process.waitFor());
%>
