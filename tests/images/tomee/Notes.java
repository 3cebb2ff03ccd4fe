import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.zip.CRC32;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** A few things that an application does: sessions, files, a process, a failure. */
public class Notes extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String what = request.getPathInfo() == null ? "/" : request.getPathInfo();
        String body;
        switch (what) {
            case "/session":
                Object seen = request.getSession().getAttribute("seen");
                request.getSession().setAttribute("seen", true);
                body = seen == null ? "new" : "known";
                break;
            case "/file":
                File file = File.createTempFile("note", null);
                Files.write(file.toPath(), "abc".getBytes());
                body = Long.toString(file.length());
                file.delete();
                break;
            case "/process":
                body = new String(new ProcessBuilder("echo", "from a process").start().getInputStream().readAllBytes()).trim();
                break;
            case "/sum":
                CRC32 sum = new CRC32();
                sum.update(new byte[100000]);
                body = Long.toHexString(sum.getValue());
                break;
            case "/fail":
                throw new IllegalStateException("on purpose");
            default:
                response.sendError(404);
                return;
        }
        response.getWriter().println(body);
    }
}
