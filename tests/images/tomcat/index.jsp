<%@ page contentType="text/plain" %>served by tomcat
